"""The fields of SSH."""

import pytest

from ipwatch.protocols.ssh_fields import Fields, string


def test_fields() -> None:
    """Numbers, strings, texts and flags are taken in the order in which they stand."""
    fields = Fields(b"skip" + b"\0\0\1\2" + string(b"\xff\0") + string("grün".encode()) + b"\2\0", 4)
    assert (fields.number(), fields.octets(), fields.text()) == (258, b"\xff\0", "grün")
    assert (fields.flag(), fields.flag()) == (True, False)


@pytest.mark.parametrize("octets", [b"", b"\0\0\0", b"\0\0\0\5four"])
def test_too_short(octets: bytes) -> None:
    """What is shorter than it says raises the fault it was given, or a ValueError."""
    with pytest.raises(ValueError, match="shorter than it says"):
        Fields(octets).text()
    with pytest.raises(KeyError):
        Fields(octets, fault=KeyError("mine")).octets()
