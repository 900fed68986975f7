"""What ends a laptop command: one sentence and one exit status each."""

from enum import IntEnum


class Kind(IntEnum):
    """Why it ended; the number is the exit status. README has this table."""

    NOT_WELL = 1  # none of those below
    CONFIGURATION = 2  # the configuration or the command line is at fault
    NO_ADDRESS = 10  # nobody knows an address for the house
    OFFLINE = 11  # this machine has no network
    PORTAL = 12  # a captive portal stands between
    UNREACHABLE = 13  # no candidate's port answers
    NOT_SSH = 14  # what answers is no SSH server, or says nothing
    NOT_PINNED = 15  # no host key is pinned: nothing can be proved
    STRANGER = 16  # whoever answers shows another key than the pinned one
    LOGIN_REFUSED = 17
    WAKE_FAILED = 18
    PORT_TAKEN = 19  # a local port that was to be listened on
    ALREADY_UP = 20  # another `ipwatch up` serves this host
    APP_FAILED = 21
    INTERRUPTED = 130


class Trouble(Exception):
    """str() is one clear sentence for the user, without "ipwatch:" before it and without a final stop."""

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
