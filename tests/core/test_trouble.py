"""Exit statuses: each kind of trouble has its own."""

from ipwatch.core.trouble import Kind, Trouble


def test_each_kind_has_a_status_of_its_own() -> None:
    """None is success, none is one that a shell or ssh gives a meaning of its own (126 to 165 but for Ctrl-C, 255)."""
    statuses = [int(kind) for kind in Kind]
    assert len(set(statuses)) == len(Kind.__members__) == len(statuses)
    assert all(0 < status < 126 for status in statuses if status != Kind.INTERRUPTED)
    assert Kind.INTERRUPTED == 128 + 2  # as a shell reports SIGINT


def test_trouble_is_its_sentence() -> None:
    """With the kind beside it."""
    trouble = Trouble(Kind.OFFLINE, "this machine has no network")
    assert (str(trouble), trouble.kind) == ("this machine has no network", Kind.OFFLINE)
