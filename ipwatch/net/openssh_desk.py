"""Where ssh's helpers come to while the user logs in: for the connected socket, and with questions for the user."""

import re
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from ipwatch.ports.remote import Login, Prompt

_LONGEST = 4096
_PATIENCE = 5.0  # for a helper that connected and says nothing
_SECRET = re.compile(r"passphrase|password|\bPIN\b", re.IGNORECASE)  # what ssh asks for again when it was wrong


class Desk:
    """Listens on a Unix socket until it is closed. carrier: the connection to the host, handed out once.

    asking: since when a question is open (its time does not count against the login's), None without one.
    gave_up: the question nobody answered, "" without one; a key's passphrase that is not given is no reason to end,
    since there may be other keys.
    """

    def __init__(self, path: Path, carrier: socket.socket, who: Login) -> None:
        self._carrier, self._who = carrier, who
        self._asked = 0.0
        self._given: set[str] = set()
        self._since: float | None = None
        self.gave_up = ""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
            self._listener.listen(8)
        except BaseException:
            self._listener.close()
            raise
        self._thread = threading.Thread(target=self._run, name="openssh-desk", daemon=True)
        self._thread.start()

    def asked(self) -> float:
        """Seconds spent with questions so far."""
        since = self._since
        return self._asked + (time.monotonic() - since if since is not None else 0.0)

    def close(self) -> None:
        """Stop listening. A question that is still open is left to its thread."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closes it
        if self._since is None:
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        with self._listener:
            while True:
                try:
                    helper, _ = self._listener.accept()
                except OSError:
                    return
                with helper, suppress(OSError):
                    helper.settimeout(_PATIENCE)
                    self._serve(helper)

    def _serve(self, helper: socket.socket) -> None:
        said = helper.recv(_LONGEST)
        if said == b"dial\n":
            socket.send_fds(helper, [b"\0"], [self._carrier.fileno()])
            return
        while (more := helper.recv(_LONGEST)) and len(said) < _LONGEST:
            said += more
        word, _, text = said.decode("utf-8", "replace").partition("\n")
        if word == "note":  # "Confirm user presence for key ...": nothing to answer
            self._who.tell(text)
        elif (answer := self._answer(text)) is not None:
            helper.sendall(b"+" + answer.encode())

    def _answer(self, text: str) -> str | None:
        self._since = time.monotonic()
        try:
            again = text in self._given and _SECRET.search(text)
            answer = self._who.ask(Prompt(f"That was not it. {text}" if again else text))
            self._given.add(text)
        finally:
            self._asked += time.monotonic() - self._since
            self._since = None
        if answer is None and not text.startswith(("Enter passphrase for", "Enter PIN for")):
            self.gave_up = text.strip().rstrip(":")
        return answer
