"""What every source keeps to; each source's test inherits it and says how the outside answers."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from ipwatch.core.address import Family, refusal
from ipwatch.ports import PortError, Source

WITHIN = timedelta(seconds=5)
PUBLIC: Mapping[Family, str] = {Family.IPV4: "25.1.2.3", Family.IPV6: "2a02:db9::1"}
# Not one of these may ever come out of a source: private, carrier NAT, loopback, link-local, documentation, multicast,
# a content network's, 6to4, mapped, Teredo, NAT64 and unspecified.
NEVER: Mapping[Family, tuple[str, ...]] = {
    Family.IPV4: ("192.168.1.10", "100.72.3.4", "127.0.0.1", "169.254.1.1", "192.0.2.7", "224.0.0.1", "104.18.3.4"),
    Family.IPV6: ("fd00::1", "::1", "fe80::1", "2001:db8::1", "ff02::1", "2606:4700::1", "2002:1901:203::1"),
}


class SourceContract:
    """Subclasses say in `make` how to build the source with an outside that shows the text, for one family."""

    def make(self, shown: str, family: Family) -> Source:
        """A source whose outside shows this address."""
        raise NotImplementedError

    @pytest.mark.parametrize("family", list(Family))
    def test_public_address_is_observed(self, family: Family) -> None:
        """What the outside shows is observed, in its family."""
        source = self.make(PUBLIC[family], family)
        assert family in source.families
        address = source.observe(family, WITHIN)
        assert str(address) == PUBLIC[family]
        assert refusal(address) is None

    @pytest.mark.parametrize(("family", "shown"), [(family, text) for family in Family for text in NEVER[family]])
    def test_address_that_can_not_be_public_is_an_error(self, family: Family, shown: str) -> None:
        """An address that can not be a house's public one never comes out."""
        with pytest.raises(PortError):
            self.make(shown, family).observe(family, WITHIN)

    def test_identity(self) -> None:
        """A source has an id, an operator, families and a pause that is not negative."""
        source = self.make(PUBLIC[Family.IPV4], Family.IPV4)
        assert ":" in source.id
        assert source.operator
        assert source.families <= set(Family)
        assert source.min_interval >= timedelta(0)
