"""Bytes between a connected socket and two file descriptors, both ways at once. Standard library only.

On Linux the kernel moves them (splice(2)) where a descriptor is a pipe, as those of a ProxyCommand are; elsewhere
they are read and written in pieces of 256 KiB. Two threads and blocking calls: that works on Windows, too, whose pipes
can not be waited for, and a slow side holds up its own direction alone. splice alone must not block: the kernel holds
the pipe's lock meanwhile (Linux 6.1, fs/splice.c, splice_file_to_pipe), and ssh at the other end could not be stopped.
"""

import contextlib
import errno
import os
import select
import socket
import threading
from collections.abc import Callable

_PIECE = 262144
_LONG = 1e6  # seconds; with a timeout Python waits for the socket, and the kernel's own calls on it never block


def pump(sock: socket.socket, source: int, sink: int) -> bool:
    """Carry `source` to the socket and the socket to `sink` until both have ended; each end is passed on by itself.
    Whether both ended well: False when the connection was reset. Takes the socket and `sink` over."""
    for descriptor in (source, sink):
        _prepare(descriptor)
    sock.settimeout(_LONG)
    up = threading.Thread(target=_up, args=(sock, source), name="up", daemon=True)
    up.start()
    with sock:
        well = _down(sock, sink)
        if well:
            up.join()  # the server has said its last word; ssh may still have something to send
    return well


def _up(sock: socket.socket, source: int) -> None:
    """Ends when the source does, or when the socket takes nothing more. What is wrong with it shows in `_down`."""
    with contextlib.suppress(OSError):
        _carry(source, sock.fileno(), lambda: os.read(source, _PIECE), sock.sendall)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


def _down(sock: socket.socket, sink: int) -> bool:
    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(sink, view) :]

    try:
        _carry(sock.fileno(), sink, lambda: sock.recv(_PIECE), write)
    except BrokenPipeError:  # nobody reads: ssh has ended, and with it the source
        return True
    except OSError:
        return False
    finally:
        _close(sink)
    return True


def _carry(source: int, sink: int, read: Callable[[], bytes], write: Callable[[bytes], None]) -> None:
    """Until the source ends; raises OSError."""
    if hasattr(os, "splice") and _spliced(source, sink):
        return
    while data := read():
        write(data)


def _spliced(source: int, sink: int) -> bool:
    """The same by the kernel alone; False when it can not, and nothing was lost."""
    ready, free = select.poll(), select.poll()
    ready.register(source, select.POLLIN)
    free.register(sink, select.POLLOUT)
    while True:
        ready.poll()
        try:
            if not os.splice(source, sink, _PIECE, flags=os.SPLICE_F_NONBLOCK):
                return True
        except BlockingIOError:
            free.poll()
        except ConnectionError:  # a reset, a broken pipe
            raise
        except OSError as error:
            if error.errno == errno.EINVAL:  # neither is a pipe, or one of them knows no splice
                return False
            raise


def _prepare(descriptor: int) -> None:
    """Blocking, and without a pipe's small default size (pipe(7): 64 KiB) or line ends made of bytes (Windows)."""
    with contextlib.suppress(OSError):
        if os.name != "posix":
            import msvcrt  # noqa: PLC0415 - Windows only

            msvcrt.setmode(descriptor, getattr(os, "O_BINARY", 0))  # type: ignore[attr-defined,unused-ignore]
            return
        import fcntl  # noqa: PLC0415 - not on Windows

        os.set_blocking(descriptor, True)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIECE)


def _close(sink: int) -> None:
    """Let the reader see the end. Standard output keeps its number, so that nothing opened later gets it."""
    with contextlib.suppress(OSError):
        if sink > 2:
            os.close(sink)
            return
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sink)
        os.close(nothing)
