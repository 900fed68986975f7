"""How many bytes the other side of a channel may have under way: as many as the line carries, and few more.

SSH's windows (RFC 4254 5.2) are a promise of memory; kept as large as OpenSSH's 2 MiB they fill every queue on a slow
line, so that a key press waits for a second, and they starve a long fast one. So a window follows what was measured:
the rate times (smallest round trip + as much again, at least 10 ms), which is what the line holds and a short queue.
"""

SMALLEST = 64 * 1024
LARGEST = 16 * 1024 * 1024
_QUEUE = 0.010  # seconds: the shortest queue allowed for; less than that is lost between two turns of a busy machine
_SPAN = 0.005  # seconds: a rate is never judged over less
_CALM = 0.100  # seconds: once the line's rate is found it is judged over at least so long


class Window:
    """One channel's window. size: bytes. It starts small, doubles once a round trip while the rate follows (like TCP's
    slow start, RFC 5681 3.1), and then moves up by at most a quarter, down by at most a sixteenth at a time."""

    __slots__ = ("_calm", "_count", "_since", "size")

    def __init__(self, size: int = SMALLEST) -> None:
        self.size = size
        self._since: float | None = None
        self._count = 0
        self._calm = False

    def delivered(self, now: float, count: int, rtt: float) -> int:
        """`count` bytes arrived where they were going. now: monotonic seconds; rtt: the link's smallest round trip in
        seconds. Gives the size from now on."""
        span = max(4 * rtt, _CALM) if self._calm else max(rtt, _SPAN)
        elapsed = 0.0 if self._since is None else now - self._since
        if self._since is None or elapsed > 4 * span:  # the first, or after a pause, which says nothing about the line
            self._since, self._count = now, 0
            return self.size
        self._count += count
        if elapsed >= span:
            self._judge(self._count / elapsed, rtt)
            self._since, self._count = now, 0
        return self.size

    def _judge(self, rate: float, rtt: float) -> None:
        fitting = max(SMALLEST, min(LARGEST, int(rate * (rtt + max(rtt, _QUEUE)))))
        if self._calm and fitting >= 2 * self.size:
            self._calm = False  # the line is another one than it was
        if fitting < self.size:
            self._calm = True
            self.size = max(fitting, self.size - self.size // 16)
        else:
            self.size = min(fitting, self.size + (self.size // 4 if self._calm else self.size))
