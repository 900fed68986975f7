"""`ipwatch open` with a host that is this machine, behind links without SSH: find, start, forward, ask, show, stay."""

import argparse
import json
import os
import re
import signal
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ipwatch.cli.apps import opened
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.apps.run import Opened
from ipwatch.settings.laptop_model import App, Host
from tests.fakes import remote_apps
from tests.fakes.http_unix import engine
from tests.fakes.laptop_world import laptop_world, said
from tests.fakes.local_link import House, LocalLink
from tests.fakes.ports import free_port
from tests.fakes.waiting import wait
from tests.laptop.test_supervisor import ScriptedFinder


class Open:
    """`ipwatch open` in a thread, until `close`."""

    def __init__(self, house: House, folder: Path, words: list[str], *, browser: bool = True, apps: Any = None,
                 within: float = 30, **options: Any) -> None:  # fmt: skip
        self.links: list[LocalLink] = []
        self.shown: list[Opened] = []
        self.ended: int | Trouble | None = None
        host = Host("desktop", user="anna", apps=apps or {})
        self.world = laptop_world(folder, host, finder=ScriptedFinder(self._link))
        self._house, self._browser, self._within = house, browser, timedelta(seconds=within)
        given = {"host": "desktop", "app": words[0], "words": words[1:], "port": 0, "folder": "", "json": False,
                 "no_browser": False, "stop": False, **options}  # fmt: skip
        self._arguments = argparse.Namespace(**given)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _link(self) -> LocalLink:
        self.links.append(LocalLink(self._house))
        return self.links[-1]

    def _show(self, shown: Opened) -> bool:
        self.shown.append(shown)
        return self._browser

    def _run(self) -> None:
        try:
            self.ended = opened(self.world, self._arguments, self._show, self._within)
        except Trouble as error:
            self.ended = error

    @property
    def said(self) -> str:
        return said(self.world)

    def url(self) -> str:
        """What the browser got."""
        assert wait(lambda: self.shown or self.ended is not None), self.said
        assert self.shown, (self.ended, self.said)
        return self.shown[0].url

    def end(self) -> int | Trouble | None:
        """Wait for its own end."""
        self._thread.join(30)
        assert not self._thread.is_alive(), self.said
        return self.ended

    def trouble(self) -> Trouble:
        ended = self.end()
        assert isinstance(ended, Trouble), (ended, self.said)
        return ended

    def close(self) -> None:
        self.world.ending.set()
        self._thread.join(30)
        self.world.http.close()  # type: ignore[attr-defined]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "home")
    yield house
    house.end()


@pytest.fixture
def start(house: House, tmp_path: Path) -> Iterator[Callable[..., Open]]:
    """Starts `ipwatch open desktop ...`; everything is ended afterwards."""
    running: list[Open] = []

    def begin(*words: str, **options: Any) -> Open:
        running.append(Open(house, tmp_path / "laptop", list(words), **options))
        return running[-1]

    yield begin
    for one in running:
        one.close()


def status(url: str, token: str = "") -> int:
    """What a browser would get, redirects followed."""
    request = urllib.request.Request(url, headers={"Authorization": f"token {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: int = answer.status
        return found


API = {"api": App("exec ~/api {port}")}


def test_jupyter_is_started_forwarded_and_shown(start: Callable[..., Open], house: House, capfd: Any) -> None:
    """The browser gets the address after the page answered 200; the token is on standard output and nowhere else."""
    remote_apps.jupyter(house)
    one = start("jupyter")
    found = re.fullmatch(r"http://localhost:([0-9]+)/lab\?token=([0-9a-f]{48})", one.url())
    assert found
    assert status(one.url().partition("?")[0], found[2]) == 200
    assert one.shown[0].ready
    one.close()
    assert one.ended == 0
    out, err = capfd.readouterr()
    assert out == one.url() + "\n"
    assert found[2] not in err + one.said
    assert "to end it: ipwatch open desktop jupyter --stop" in one.said
    assert len(house.pids()) == 1
    os.kill(house.pids()[0], 0)


def test_a_second_open_finds_the_running_one(start: Callable[..., Open], house: House) -> None:
    """`ipwatch open` twice gives the same server with the same token at another local port."""
    remote_apps.jupyter(house)
    first = start("jupyter")
    token = first.url().partition("?")[2]
    second = start("notebook")
    assert second.url().endswith(f"/tree?{token}")
    assert second.shown[0].port != first.shown[0].port
    assert second.shown[0].place.pid == house.pids()[0]
    assert "found a running Jupyter at 127.0.0.1:" in second.said


def test_the_local_port_is_the_same_number_where_it_is_free(start: Callable[..., Open], house: House) -> None:
    """A port that is free on both sides is used on both; --port asks for one; one that is taken is told."""
    remote_apps.web(house, "api")
    taken = free_port()
    one = start("api", apps=API, port=taken)
    assert one.url() == f"http://localhost:{taken}/"
    again = start("api", apps=API, port=taken)
    assert again.trouble().kind is Kind.PORT_TAKEN
    assert str(taken) in str(again.trouble())


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_told(start: Callable[..., Open], port: int) -> None:
    """--port takes a port."""
    assert start("jupyter", port=port).trouble().kind is Kind.CONFIGURATION


def test_an_app_that_loads_is_waited_for(start: Callable[..., Open], house: House) -> None:
    """While the app answers 503 no browser is opened; then it is, once, at the page its redirect led to as well."""
    house.environ |= {"LOADS": "1.2", "MOVED": "/home", "PAGES": "/home"}
    remote_apps.web(house, "api")
    one = start("api", apps=API)
    assert status(one.url()) == 200
    assert len(one.shown) == 1


def test_an_api_without_a_first_page_shows_its_documentation(start: Callable[..., Open], house: House) -> None:
    """Uvicorn's / answers 404 with many an API: /docs is opened then."""
    house.environ["PAGES"] = "/docs"
    remote_apps.web(house, ".local/bin/uvicorn")
    assert start("uvicorn", "main:app").url().endswith("/docs")


def test_without_a_200_no_browser_is_opened(start: Callable[..., Open], house: House, capfd: Any) -> None:
    """An app whose page answers 404 is forwarded and its address printed, with a warning and without a browser."""
    house.environ["PAGES"] = "/other"
    remote_apps.web(house, "api")
    one = start("api", apps={"api": App("exec ~/api {port}", path="/missing page")})
    assert wait(lambda: "answers 404 at /missing%20page, not 200" in one.said)
    one.close()
    assert (one.ended, one.shown) == (0, [])
    assert re.fullmatch(r"http://localhost:[0-9]+/missing%20page\n", capfd.readouterr().out)


def test_an_app_without_a_page_is_up_when_it_takes_connections(
    start: Callable[..., Open], house: House, capfd: Any
) -> None:
    """path = "" is for what is no web page: its place is printed, no browser is opened."""
    remote_apps.web(house, "db")
    one = start("db", apps={"db": App("exec ~/db {port}", path="")})
    assert wait(lambda: "goes on there" in one.said), one.said
    one.close()
    assert re.fullmatch(r"localhost:[0-9]+\n", capfd.readouterr().out)
    assert one.shown == []


def test_a_page_that_is_no_page_is_told(start: Callable[..., Open], house: House, capfd: Any) -> None:
    """What answers but speaks no HTTP is told as such."""
    script = house.home / "other.py"
    script.write_text(
        "import socket, sys\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "while True:\n    s.accept()[0].send(b'SSH-2.0-x\\r\\n\\r\\n')\n"
    )
    one = start("api", apps={"api": App("exec python3 ~/other.py {port}")})
    assert wait(lambda: "does not speak HTTP" in one.said or one.ended), one.said
    one.close()
    assert one.shown == []


def test_json_and_no_browser(start: Callable[..., Open], house: House, capfd: Any) -> None:
    """--json prints one object; --no-browser opens none; a machine without a browser is told to look itself."""
    remote_apps.web(house, "api")
    one = start("api", apps=API, json=True, no_browser=True)
    assert wait(lambda: "goes on there" in one.said), one.said
    two = start("api", apps=API, browser=False)
    assert wait(lambda: "no browser here: open the address above yourself" in two.said), two.said
    one.close()
    two.close()
    facts = json.loads(capfd.readouterr().out.splitlines()[0])
    assert (facts["app"], facts["ready"], facts["pid"]) == ("api", True, house.pids()[0])
    assert facts["log"].startswith(str(house.state))
    assert one.shown == []


def test_what_dies_at_its_start_is_told_with_its_last_words(start: Callable[..., Open], house: House) -> None:
    """The log's end is shown, without the token, and stands in the sentence."""
    remote_apps.jupyter(house)
    one = start("jupyter", "--refuse")
    trouble = one.trouble()
    assert trouble.kind is Kind.APP_FAILED
    assert str(trouble).startswith("jupyter --refuse ended as soon as it was started on desktop: [C] no: http://")
    assert "token=..." in str(trouble)
    assert "| [C] no" in one.said
    assert not re.search("[0-9a-f]{48}", one.said + str(trouble))
    silent = start("quiet", apps={"quiet": App("true {port}")}).trouble()
    assert str(silent) == "quiet ended as soon as it was started on desktop without a word in its log"


def test_a_port_that_somebody_else_takes_first_is_no_end(start: Callable[..., Open], house: House) -> None:
    """When the app dies because its port was taken in between, it is started at another one."""
    remote_apps.web(house, "inner")
    house.program(
        "api", "#!/bin/sh\n[ -e ~/tried ] && exec ~/inner $1\n: >~/tried\necho 'Address already in use'; exit 1\n"
    )
    assert status(start("api", apps=API).url()) == 200


def test_a_jupyter_with_a_configuration_of_its_own(start: Callable[..., Open], house: House) -> None:
    """A token and a base path that Jupyter's own configuration sets are learnt from Jupyter itself."""
    remote_apps.jupyter(house)
    assert re.fullmatch(
        r"http://localhost:[0-9]+/x/lab\?token=abc", start("jupyter", "--own-token=abc", "--base=/x").url()
    )


def test_a_line_lost_while_the_app_starts_starts_it_once(start: Callable[..., Open], house: House) -> None:
    """The script whose answer was lost is run again over the next link, and finds what it has started."""
    remote_apps.jupyter(house)
    house.broken = ["find", "start"]
    one = start("jupyter")
    assert one.url()
    assert len(one.links) == 3
    assert len(house.pids()) == 1
    (server,) = (house.home / ".local/share/jupyter/runtime").glob("*.json")
    assert json.loads(server.read_text())["token"] in one.url()


def test_a_line_that_is_lost_again_and_again_is_told(start: Callable[..., Open], house: House) -> None:
    """Three losses during one question are enough; a host that takes the question and never answers is told as such."""
    house.broken = ["find"] * 3
    lost = start("jupyter").trouble()
    assert (lost.kind, str(lost)) == (Kind.UNREACHABLE, "the line to desktop was lost 3 times while it was asked")
    house.hangs = True
    silent = start("jupyter").trouble()
    assert (silent.kind, str(silent)) == (
        Kind.APP_FAILED,
        "desktop did not answer: the command did not end within 45 s",
    )


def test_an_app_that_is_still_starting_is_not_started_twice(start: Callable[..., Open], house: House) -> None:
    """An `open` that was ended too early leaves the app starting and says so; the next one waits for it and learns its
    token."""
    remote_apps.jupyter(house)
    first = start("jupyter", "--slow=2")
    assert wait(house.pids)
    first.close()
    assert isinstance(first.ended, Trouble)
    assert first.ended.kind is Kind.INTERRUPTED
    assert "to end it: ipwatch open desktop jupyter --stop" in said(first.world)
    second = start("jupyter", "--slow=2")
    assert re.search("token=[0-9a-f]{48}$", second.url())
    assert second.shown[0].place.pid == house.pids()[0]


def test_an_app_that_never_answers_is_told(start: Callable[..., Open], house: House) -> None:
    """It runs, but nothing listens: that is told with where its log is, and the app is left alone."""
    slow = start("api", apps={"api": App("sleep 100; echo {port}")}, within=1).trouble()
    assert slow.kind is Kind.APP_FAILED
    assert re.fullmatch(
        rf"api on desktop runs, but did not answer within 1 s \(.*\); its log there: {house.state}/api-.*\.log",
        str(slow),
    )
    os.kill(house.pids()[0], 0)
    remote_apps.jupyter(house)
    assert start("jupyter", "--slow=50", within=1).trouble().kind is Kind.APP_FAILED
    assert "its log there" in str(start("jupyter", "--slow=50", within=1).trouble())


def test_a_running_app_that_dies_before_it_answers_is_told(start: Callable[..., Open], house: House) -> None:
    """An app found in its start may still die of it."""
    apps = {"api": App("sleep 2; echo sorry; false {port}")}
    first = start("api", apps=apps)
    assert wait(house.pids)
    first.close()
    assert str(start("api", apps=apps).trouble()).endswith("on desktop: sorry")
    remote_apps.jupyter(house)
    first = start("jupyter", "--slow=2", "--port=x")
    assert wait(lambda: len(house.pids()) == 2)
    first.close()
    assert "invalid literal for int()" in str(start("jupyter", "--slow=2", "--port=x").trouble())


def test_a_listed_jupyter_that_is_gone_is_passed_over(start: Callable[..., Open], house: House) -> None:
    """A server in Jupyter's list that takes no connections is not the one that is opened."""
    remote_apps.jupyter(house)
    runtime = house.home / ".local/share/jupyter/runtime"
    runtime.mkdir(parents=True)
    stale = {"pid": os.getpid(), "port": free_port(), "hostname": "localhost", "token": "old", "base_url": "/"}
    (runtime / f"jpserver-{os.getpid()}.json").write_text(json.dumps(stale))
    one = start("jupyter")
    assert one.url()
    assert one.shown[0].place.pid == house.pids()[0]


def test_after_a_loss_the_same_port_serves_again(start: Callable[..., Open], house: House) -> None:
    """The local port stays through a loss, and nothing is said of an app that is still there."""
    remote_apps.jupyter(house)
    one = start("jupyter")
    url, token = one.url().split("?token=")
    one.links[-1].die()
    assert wait(lambda: len(one.links) == 2)
    assert status(url, token) == 200
    assert one.ended is None


def test_an_app_that_died_meanwhile_is_told(start: Callable[..., Open], house: House) -> None:
    """When the link is back and the app is not, the sentence says so and how to start it again."""
    remote_apps.web(house, "api")
    one = start("api", apps=API)
    assert one.url()
    os.killpg(house.pids()[0], signal.SIGKILL)
    one.links[-1].die()
    trouble = one.trouble()
    assert trouble.kind is Kind.APP_FAILED
    assert str(trouble).endswith("has ended while the line was down; to start it again: ipwatch open desktop api")
    assert "| serving" in one.said


def test_another_server_in_its_place_is_told(start: Callable[..., Open], house: House) -> None:
    """A Jupyter that does not know our token any more is another one."""
    program = remote_apps.jupyter(house)
    one = start("jupyter")
    port = int(one.url().split(":")[2].partition("/")[0])
    there = one.shown[0].place.target.port
    os.killpg(house.pids()[0], signal.SIGKILL)
    assert port
    other = House(house.home.parent / "other")
    try:
        start_other(other, program, there)
        one.links[-1].die()
        assert wait(lambda: "does not know our token any more (403): another server?" in one.said), one.said
        assert one.ended is None
    finally:
        other.end()


def start_other(other: House, program: Path, port: int) -> None:
    from ipwatch.laptop.apps import recipe_of, there

    other.program(".local/bin/jupyter", program.read_text())
    recipe = recipe_of("jupyter", (), "", {})._replace(port=port)
    assert wait(lambda: not listens(port))
    with closing_link(other) as link:
        there.ask(link, "other", "start", recipe, token="other")
    assert wait(lambda: listens(port))


def closing_link(house: House) -> Any:
    link = LocalLink(house)
    return closing(_Cut(link))


class _Cut:
    def __init__(self, link: LocalLink) -> None:
        self._link = link

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def close(self) -> None:
        self._link.cut()


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_stop_ends_what_was_started(start: Callable[..., Open], house: House) -> None:
    """--stop ends every app started under that name, or the one of those words; without any it says so."""
    remote_apps.web(house, ".local/bin/uvicorn")
    for name in ("one:app", "two:app", "three:app"):
        assert start("uvicorn", name).url()
    assert len(house.pids()) == 3
    assert start("uvicorn", "two:app", stop=True).end() == 0
    assert len(house.pids()) == 2
    last = start("uvicorn", stop=True)
    assert last.end() == 0
    assert "stopped uvicorn one:app (process " in last.said
    assert house.pids() == []
    assert "has started no uvicorn on desktop that still runs" in str(start("uvicorn", stop=True).trouble())


def test_the_remote_engine_behind_a_socket_here(start: Callable[..., Open], house: House, capfd: Any) -> None:
    """docker: the ping came through a socket here that its user alone can open; standard output sets DOCKER_HOST."""
    with engine(house.home / "docker.sock") as asked:
        house.environ["XDG_RUNTIME_DIR"] = str(house.home)
        one = start("docker")
        assert wait(lambda: asked.count("/_ping") == 1), one.said
        path = one.world.settings.state / "docker-desktop.sock"
        assert wait(path.exists)
        assert path.stat().st_mode & 0o077 == 0
        port = start("docker", port=free_port())
        assert wait(lambda: asked.count("/_ping") == 2), port.said
        port.close()
        one.links[-1].die()
        assert wait(lambda: len(one.links) == 2)
        one.close()
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == f"export DOCKER_HOST=unix://{path}"
    assert re.fullmatch(r"export DOCKER_HOST=tcp://localhost:[0-9]+", lines[1])
    assert not path.exists()


def test_an_engine_that_went_away_is_told(start: Callable[..., Open], house: House) -> None:
    """A container engine that is not there after a loss is told, and the tunnel stays: it may be restarting."""
    with engine(house.home / "docker.sock") as asked:
        house.environ["XDG_RUNTIME_DIR"] = str(house.home)
        one = start("docker")
        assert wait(lambda: asked.count("/_ping") == 1), one.said
    one.links[-1].die()
    assert wait(lambda: "docker does not answer any more" in one.said), one.said
    assert one.ended is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["jupiter"], "there is no app called jupiter; did you mean jupyter?"),
        (["xyz"], "there is no app called xyz; there are jupyter, notebook, streamlit, uvicorn, docker"),
        (["streamlit"], "streamlit needs a script"),
        (["uvicorn"], "uvicorn needs a module and its application"),
        (["uvicorn", "main"], "uvicorn needs a module and its application"),
        (["docker", "ps"], "docker takes neither words nor a folder"),
    ],
)
def test_what_can_not_be_opened_is_told(start: Callable[..., Open], words: list[str], sentence: str) -> None:
    """A wrong word ends in a sentence before anything is called."""
    one = start(*words)
    assert one.trouble().kind is Kind.CONFIGURATION
    assert sentence in str(one.trouble())
    assert one.links == []
