"""How many bytes the other side of a channel may have under way: as many as the line carries, and few more.

SSH's windows (RFC 4254 5.2) are a promise of memory; kept as large as OpenSSH's 2 MiB they fill every queue on a slow
line, so that a key press waits for a second, and they starve a long fast one. So a window follows what was measured:
the rate times (smallest round trip + as much again, at least 10 ms, of which 1 MiB is enough), which is what the line
holds and a short queue, and one packet, because packets arrive whole.
"""

SMALLEST = 64 * 1024
LARGEST = 16 * 1024 * 1024
_PACKET = 32 * 1024
_QUEUE = 0.010  # seconds: the shortest queue allowed for; less than that is lost between two turns of a busy machine
_QUEUED = 1024 * 1024  # bytes: a queue that is longer because the line is fast only costs ssh copies of its buffer
_SPAN = 0.005  # seconds: a rate is never judged over less
_CALM = 0.100  # seconds: once the line's rate is found it is judged over at least so long
_ROUNDS = 3  # in a row without a quarter more: the line gives no more


class Window:
    """One channel's window. size: bytes. It begins small and up to doubles each round trip while the rate follows (as
    TCP does, RFC 5681 3.1); then it moves up by at most a quarter and down by at most an eighth at a time."""

    __slots__ = ("_best", "_count", "_since", "_stale", "size")

    def __init__(self) -> None:
        self.size = SMALLEST
        self._since: float | None = None
        self._count = 0
        self._best = 0.0
        self._stale = 0

    @property
    def calm(self) -> bool:
        """Whether the line's rate is found."""
        return self._stale >= _ROUNDS

    def delivered(self, now: float, count: int, rtt: float) -> int:
        """`count` bytes arrived where they were going. now: monotonic seconds; rtt: the link's smallest round trip in
        seconds. Gives the size from now on."""
        span = max(4 * rtt, _CALM) if self.calm else max(rtt, _SPAN)
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
        line = rate * rtt
        fitting = max(SMALLEST, min(LARGEST, int(line + max(line, min(rate * _QUEUE, _QUEUED))) + _PACKET))
        if self.calm:
            if fitting >= 2 * self.size:  # the line is another one than it was
                self._best, self._stale = rate, 0
            self.size = min(max(fitting, self.size - self.size // 8), self.size + self.size // 4)
            return
        if rate >= 1.25 * self._best:
            self._best, self._stale = rate, 0
        else:
            self._stale += 1
        self.size = max(self.size, min(fitting, 2 * self.size))
