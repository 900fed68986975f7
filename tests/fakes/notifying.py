"""Ports for notifiers that behave: files and commands for real, HTTP and mail that keep what they are given."""

import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ipwatch.ports import (
    Completed,
    HttpRequest,
    HttpResponse,
    Mail,
    MailServer,
    PortError,
    Tools,
    Unreachable,
)


class KeptHttp:
    """Answers every request with one answer, or raises one error, and keeps the requests."""

    def __init__(self, answer: HttpResponse | PortError | None = None) -> None:
        self.answer = answer or HttpResponse(204, {}, b"")
        self.requests: list[HttpRequest] = []

    def send(self, request: HttpRequest, within: timedelta) -> HttpResponse:
        """See ports.Http."""
        self.requests.append(request)
        if isinstance(self.answer, PortError):
            raise self.answer
        return self.answer


class KeptMail:
    """Takes every mail, or raises one error."""

    def __init__(self, error: PortError | None = None) -> None:
        self.error = error
        self.mails: list[tuple[Mail, MailServer]] = []

    def send(self, mail: Mail, server: MailServer, within: timedelta) -> None:
        """See ports.Mailer."""
        if self.error is not None:
            raise self.error
        self.mails.append((mail, server))


class RealCommands:
    """Runs the program."""

    def run(self, argv: Sequence[str], within: timedelta, *, env: Mapping[str, str] | None = None,
            stdin: bytes = b"", limit: int = 65536) -> Completed:  # fmt: skip
        """See ports.Commands."""
        try:
            done = subprocess.run(
                list(argv), input=stdin, capture_output=True, timeout=within.total_seconds(),
                env={"PATH": "/usr/bin:/bin", **(env or {})}, check=False,
            )  # fmt: skip
        except OSError as error:
            raise Unreachable(f"{argv[0]} can not be started: {error.strerror}") from None
        return Completed(done.returncode, done.stdout[:limit], done.stderr[:limit])


class RealFiles:
    """Writes the file, and counts."""

    def __init__(self) -> None:
        self.written = 0

    def read(self, path: Path, limit: int = 65536) -> bytes:
        """See ports.Files."""
        return path.read_bytes()[:limit]

    def replace(self, path: Path, content: bytes) -> None:
        """See ports.Files."""
        try:
            path.write_bytes(content)
        except OSError as error:
            raise Unreachable(f"{path} can not be written: {error.strerror}") from None
        self.written += 1


class FixedClock:
    """Always the same time."""

    def now(self) -> datetime:
        """See ports.Clock."""
        return datetime(2026, 11, 23, 3, 41, tzinfo=UTC)

    def monotonic(self) -> timedelta:
        """See ports.Clock."""
        return timedelta(0)

    def sleep(self, time: timedelta) -> None:
        """No time passes here."""


def tools(http: KeptHttp | None = None, mailer: KeptMail | None = None, files: RealFiles | None = None) -> Tools:
    """Tools with these; what a notifier never uses is absent, and using it would be a fault."""
    absent: object = None
    return Tools(
        clock=FixedClock(),
        http=http or KeptHttp(),
        resolver=absent,  # type: ignore[arg-type]
        datagram=absent,  # type: ignore[arg-type]
        interfaces=absent,  # type: ignore[arg-type]
        commands=RealCommands(),
        files=files or RealFiles(),
        mailer=mailer or KeptMail(),
    )
