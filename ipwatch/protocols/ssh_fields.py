"""The fields that SSH messages, keys and agents' answers are made of (RFC 4251 5)."""


class Fields:
    """Takes octets apart, field by field; raises `fault` where they are shorter than they say."""

    def __init__(self, octets: bytes, at: int = 0, fault: Exception | None = None) -> None:
        self._octets = octets
        self._at = at
        self._fault = fault or ValueError("it is shorter than it says")

    def number(self) -> int:
        """A uint32."""
        return int.from_bytes(self._take(4), "big")

    def octets(self) -> bytes:
        """A string, as octets."""
        return self._take(self.number())

    def text(self) -> str:
        """A string in UTF-8; what is none is replaced."""
        return self.octets().decode("utf-8", "replace")

    def flag(self) -> bool:
        """A boolean: all that is not zero is true."""
        return self._take(1) != b"\0"

    def _take(self, size: int) -> bytes:
        taken = self._octets[self._at : self._at + size]
        if len(taken) < size:
            raise self._fault
        self._at += size
        return taken


def string(octets: bytes) -> bytes:
    """A string."""
    return len(octets).to_bytes(4, "big") + octets
