"""A command at the far end, through the control socket of ssh."""

import os
import selectors
import time
from collections.abc import Callable
from contextlib import suppress

from ipwatch.net.openssh_mux import MuxConnection
from ipwatch.ports import Unreachable
from ipwatch.protocols import ssh_mux
from ipwatch.protocols.ssh_mux import Exited, Failed

_READ = 65536
_LINGER = 0.5  # for what is still in the pipes when the status has come: children left behind may hold them open


class _Outputs:
    """The reading ends of the command's outputs."""

    def __init__(self, pipes: tuple[int, int], limit: int, said: Callable[[bytes], None] | None) -> None:
        self.kept = {pipe: bytearray() for pipe in pipes}
        self._limit, self._said = limit, said

    def read(self, pipe: int) -> bool:
        """Read once; False at the end."""
        data = os.read(pipe, _READ)
        kept = self.kept[pipe]
        kept += data[: self._limit - len(kept)]
        if data and self._said is not None:
            self._said(data)
        return bool(data)


def run(mux: MuxConnection, command: str, deadline: float, *, stdin: bytes, limit: int,
        said: Callable[[bytes], None] | None) -> tuple[int, bytes, bytes]:  # fmt: skip
    """Exit status (-1 when ssh gave none: a signal), standard output and error. Raises Unreachable; closing the
    connection then tells ssh to end the session."""
    into, out, err = os.pipe(), os.pipe(), os.pipe()
    try:
        mux.send(ssh_mux.session(1, command), (into[0], out[1], err[1]))
        reply = mux.reply(deadline)
        if isinstance(reply, Failed):
            raise Unreachable(f"the host does not run a command: {reply.reason.lower()}")
    except BaseException:
        for descriptor in (into[1], out[0], err[0]):
            os.close(descriptor)
        raise
    finally:
        for descriptor in (into[0], out[1], err[1]):
            os.close(descriptor)
    outputs = _Outputs((out[0], err[0]), limit, said)
    with selectors.DefaultSelector() as selector:
        try:
            status = _talk(mux, selector, into[1], stdin, outputs, deadline)
        finally:
            for key in list(selector.get_map().values()):
                if isinstance(key.fileobj, int):
                    os.close(key.fileobj)
    return status, bytes(outputs.kept[out[0]]), bytes(outputs.kept[err[0]])


def _talk(mux: MuxConnection, selector: selectors.BaseSelector, into: int, stdin: bytes, outputs: _Outputs,
          deadline: float) -> int:  # fmt: skip
    """Until the outputs have ended and the status has come."""
    left = memoryview(stdin)
    os.set_blocking(into, False)
    selector.register(into, selectors.EVENT_WRITE)
    for pipe in outputs.kept:
        selector.register(pipe, selectors.EVENT_READ)
    selector.register(mux.sock, selectors.EVENT_READ)
    status: int | None = None
    end = deadline
    while len(selector.get_map()) > 0:
        if (remaining := end - time.monotonic()) <= 0:
            if status is not None:
                break
            raise Unreachable("the command did not end in time", sent=True)
        for key, _ in selector.select(remaining):
            if key.fileobj is mux.sock:
                if not mux.receive(None):
                    selector.unregister(mux.sock)
                    end = min(end, time.monotonic() + _LINGER)
                    status = -1 if status is None else status
                for reply in mux.taken():
                    if isinstance(reply, Exited):
                        status, end = reply.status, min(end, time.monotonic() + _LINGER)
            elif key.fd == into:
                left = _feed(selector, into, left)
            elif not outputs.read(key.fd):
                selector.unregister(key.fd)
                os.close(key.fd)
        if status is not None and not any(pipe in selector.get_map() for pipe in outputs.kept):
            break
    return -1 if status is None else status


def _feed(selector: selectors.BaseSelector, into: int, left: memoryview) -> memoryview:
    with suppress(BlockingIOError):
        try:
            left = left[os.write(into, left[:_READ]) :] if left else left
        except BrokenPipeError:  # it does not want to read: its own affair
            left = left[:0]
    if not left:
        selector.unregister(into)
        os.close(into)
    return left
