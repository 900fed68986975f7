"""Remote apps: keys, places, pages, addresses and last words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.app import (
    LINES_SHOWN,
    Answer,
    Place,
    Recipe,
    Running,
    Server,
    address,
    fitting,
    judge,
    last_words,
    path_of,
    place_of,
    port_was_taken,
    redirected,
    stem,
)
from ipwatch.core.forward import Target

OURS = Running(7, 8888, "/log")


@given(st.text(), st.lists(st.text(), max_size=3), st.text())
def test_a_key_is_fit_for_a_file_and_a_pattern(name: str, more: list[str], folder: str) -> None:
    """Whatever an app is called, its key is plain letters, begins with its stem and is the same each time."""
    key = Recipe(name, more=tuple(more), folder=folder).key
    assert key == Recipe(name, more=tuple(more), folder=folder).key
    assert key.startswith(stem(name) + "-")
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    assert len(key) < 70


def test_keys_differ_by_name_words_and_folder() -> None:
    """Two apps have one key only if they are the same app with the same words in the same folder."""
    keys = {
        Recipe("a").key,
        Recipe("a", more=("b",)).key,
        Recipe("a", folder="b").key,
        Recipe("a", program="b").key,
        Recipe("a", command="b").key,
        Recipe("a.b").key,
        Recipe("a_b").key,
    }
    assert len(keys) == 7


def test_a_title_is_one_printable_line() -> None:
    """The title is what the user typed, on one line."""
    assert Recipe("streamlit", more=("my\napp.py", "\x1b[31m")).title == "streamlit my app.py  [31m"


@pytest.mark.parametrize(
    ("server", "target"),
    [
        (Server(1, "localhost", 8888), Target("localhost", 8888)),
        (Server(1, "192.168.1.20", 8888), Target("192.168.1.20", 8888)),
        (Server(1, "0.0.0.0", 8888), Target("localhost", 8888)),
        (Server(1, "", 8888), Target("localhost", 8888)),
        (Server(1, "::", 8888), Target("localhost", 8888)),
        (Server(1, "localhost", 0, sock="/run/j.sock"), Target("/run/j.sock", 0)),
    ],
)
def test_where_a_server_is(server: Server, target: Target) -> None:
    """A server that listens everywhere is reached at the loopback; one with a Unix socket there."""
    assert place_of(server, None).target == target


def test_a_server_is_ours_by_its_process() -> None:
    """The server whose process we started has our log."""
    server = Server(7, "localhost", 8888, "/x/", "abc", secure=True)
    assert place_of(server, OURS) == Place(Target("localhost", 8888), "/x/", "abc", True, 7, True, "/log")
    assert place_of(server, OURS._replace(pid=8)) == Place(Target("localhost", 8888), "/x/", "abc", True, 7)
    assert not place_of(server, None).ours


def test_which_servers_fit() -> None:
    """Ours comes first; others only when they serve the wanted folder, or none is wanted."""
    a, b, ours = Server(1, "", 1, root="/a"), Server(2, "", 2, root="/b/"), Server(7, "", 3, root="/c")
    assert fitting((a, b, ours), OURS, "") == (ours, a, b)
    assert fitting((a, b, ours), OURS, "/b") == (ours, b)
    assert fitting((a, b), None, "/c") == ()
    assert fitting((), OURS, "") == ()


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, Answer.READY), (500, Answer.STARTING), (503, Answer.STARTING), (404, Answer.ELSEWHERE),
     (0, Answer.ELSEWHERE), (204, Answer.ELSEWHERE), (302, Answer.ELSEWHERE), (403, Answer.ELSEWHERE)],
)  # fmt: skip
def test_what_a_status_says(status: int, answer: Answer) -> None:
    """200 is ready, 5xx may become so, everything else is an answer, but not a page to open."""
    assert judge(status) is answer


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/tree?x=1", "/tree?x=1"),
        ("next", "/a/next"),
        ("http://localhost:8888/lab", "/lab"),
        ("//localhost:8888", "/"),
        ("http://localhost:9999/lab", None),
        ("https://elsewhere.example/", None),
        ("/a b", "/a%20b"),
        ("http://[oops/", None),
    ],
)
def test_where_a_redirect_leads(location: str, path: str | None) -> None:
    """A redirect is followed within the app and nowhere else."""
    assert redirected("localhost:8888", "/a/b", location) == path


def test_the_address_for_the_browser() -> None:
    """Base, page and token make the address; odd characters are escaped once."""
    place = Place(Target("localhost", 1), "/user/anna/")
    assert path_of(place, "/lab") == "/user/anna/lab"
    assert address(place, "lab", 8890) == "http://localhost:8890/user/anna/lab"
    assert address(Place(Target("h", 1), secure=True), "/", 1, "a&b") == "https://localhost:1/?token=a%26b"
    assert path_of(Place(Target("h", 1)), "/a b?q=1%20#top\r\nX: y") == "/a%20b?q=1%20#top%0D%0AX:%20y"


def test_last_words_hold_no_token() -> None:
    """Of a log its last lines are shown, without our token and without any that an address names."""
    lines = [f"line {n}" for n in range(20)] + ["http://h/?token=abc&x=1 and TOKEN=def'", "it is s3cret!"]
    words = last_words(lines, "s3cret")
    assert len(words) == LINES_SHOWN
    assert words[-2:] == ("http://h/?token=...&x=1 and TOKEN=...'", "it is ...!")
    assert last_words([]) == ()


def test_last_words_are_words() -> None:
    """What fish and Python draw beneath a fault is not what an app has died of."""
    assert last_words(["nosuch --port 8000", "^~~~~^", "    ^^^^"]) == ("nosuch --port 8000",)


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("OSError: [Errno 98] Address already in use", True),
        ("ERROR: [Errno 48] error while attempting to bind on ('127.0.0.1', 8000): address already in use", True),
        ("ERROR: the Jupyter server could not be started because port 8888 is not available.", True),
        ("Port 8501 is already in use", True),
        ("Error: listen EADDRINUSE", True),
        ("ModuleNotFoundError: No module named 'main'", False),
    ],
)
def test_whether_the_port_was_taken(line: str, taken: bool) -> None:
    """The usual ways to say that a port is taken are known."""
    assert port_was_taken(["first", line]) is taken
