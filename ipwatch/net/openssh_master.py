"""The ssh process that carries everything of one link, and its control socket."""

import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from ipwatch.core.candidate import Spot
from ipwatch.core.host import Pins
from ipwatch.net import openssh_args, openssh_said
from ipwatch.net.openssh_desk import Desk
from ipwatch.net.openssh_folder import Folder
from ipwatch.net.openssh_mux import MuxConnection
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Login, LoginRefused

_HELPER = Path(__file__).with_name("openssh_helper.py")
_KEPT = 400  # lines of what it said
_LOOK = 0.01
_DESCRIPTORS = 8192
# Of glibc's heap (mallopt(3)), elsewhere nothing: ssh's buffers shrink and grow with each packet, and by default the
# pages between go back to the system each time, which costs a fifth of its time on a fast line (measured).
_HEAP = {"MALLOC_MMAP_THRESHOLD_": "8388608", "MALLOC_TRIM_THRESHOLD_": "8388608"}
# ssh, and a shell that ends it when our end of the pipe is gone and gave no line. Not prctl(2), which is Linux' alone.
_TIED = 'exec 3<&0 </dev/null; { read -r _ <&3 || kill -9 $$; } >/dev/null 2>&1 & exec "$@" 3<&-'


class Master:
    """Starts it. The process ends with this one, however that ends, by `kill`, or by itself; then its folder goes."""

    def __init__(self, program: str, spot: Spot, pins: Pins, who: Login, carrier: socket.socket,
                 within: timedelta) -> None:  # fmt: skip
        self.said: deque[str] = deque(maxlen=_KEPT)
        _more_descriptors()
        self._folder = Folder()
        self.folder = self._folder.path
        self.control = self.folder / "c"
        self.ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()
        self._fault = ""
        desk = self.folder / "d"
        try:
            (self.folder / "k").write_text(openssh_args.known_hosts(pins, who.host))
            environment = self._environment(desk)
            self._desk = Desk(desk, carrier, who)
        except OSError as error:
            self._folder.close()
            raise Unreachable(f"{self.folder} can not be used: {(error.strerror or 'error').lower()}") from None
        dialler = shlex.join([sys.executable, "-IS", str(_HELPER), "dial", str(desk)]).replace("%", "%%")
        words = openssh_args.master(spot, self.folder / "k", self.control, dialler, who, within)
        self._thread = threading.Thread(target=self._run, args=([program, *words], environment), name="openssh",
                                        daemon=True)  # fmt: skip
        self._thread.start()

    def log_in(self, within: timedelta) -> MuxConnection:
        """Wait until the user is in: a connection to the control socket in proxy mode. Raises LoginRefused or
        Unreachable; the process is ended then."""
        began = time.monotonic()
        try:
            while True:
                if self.ended.is_set():
                    raise self._why()
                if self._desk.gave_up:
                    raise openssh_said.unanswered(self._desk.gave_up, tuple(self.said))
                left = began + within.total_seconds() + self._desk.asked() - time.monotonic()
                if left <= 0:
                    raise Unreachable(f"the login did not end within {within.total_seconds():g} s")
                if self.control.exists():
                    return self.proxied(time.monotonic() + left)
                self.ended.wait(_LOOK)
        except BaseException:
            self.kill()
            raise
        finally:
            self._desk.close()

    def connect(self, deadline: float) -> MuxConnection:
        """A connection to its control socket; raises Unreachable."""
        return MuxConnection(self.control, deadline)

    def proxied(self, deadline: float) -> MuxConnection:
        """One in proxy mode; raises Unreachable."""
        made = self.connect(deadline)
        try:
            made.proxied(deadline)
        except BaseException:
            made.close()
            raise
        return made

    def kill(self) -> None:
        """End it at once, without a word, and let its folder go now: the whole program may end next."""
        self._started.wait(1)
        if self._process is not None:
            self._process.kill()
        self._folder.close()

    def join(self, within: float) -> None:
        """Wait for its end."""
        self._thread.join(within)

    def lost(self) -> str:
        """Why it ended: a clause."""
        return openssh_said.why_it_was_lost(self.said)

    def _why(self) -> Exception:
        if self._fault:
            return LoginRefused(self._fault)
        return openssh_said.why_it_ended(self.said)

    def _environment(self, desk: Path) -> dict[str, str]:
        """DISPLAY: programs before 8.4 do not know SSH_ASKPASS_REQUIRE and ask this way only with one."""
        asker = self.folder / "a"
        words = shlex.join([sys.executable, "-IS", str(_HELPER), "ask", str(desk)])
        asker.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        asker.chmod(0o700)
        held = {"DISPLAY": ":0", **_HEAP, **os.environ}
        return {**held, "SSH_ASKPASS": str(asker), "SSH_ASKPASS_REQUIRE": "force", "SHELL": "/bin/sh"}

    def _run(self, argv: list[str], environment: dict[str, str]) -> None:
        """The process' whole life."""
        try:
            process = subprocess.Popen(["/bin/sh", "-c", _TIED, "sh", *argv], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment,
                                       start_new_session=True)  # fmt: skip
        except OSError as error:
            self._fault = f"ssh can not be started: {(error.strerror or 'error').lower()}"
        else:
            self._process = process
            self._started.set()
            assert process.stdin is not None and process.stderr is not None  # noqa: S101, PT018 - asked for above
            with process.stderr:
                for line in process.stderr:
                    self.said.append(line.decode("utf-8", "replace").rstrip())
            process.wait()
            with suppress(OSError), process.stdin:
                process.stdin.write(b"ended\n")
        finally:
            self.ended.set()
            self._started.set()
            self._folder.close()


def _more_descriptors() -> None:
    """Each connection takes three descriptors here and three in ssh, which inherits our limit; 256 is macOS' usual."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
