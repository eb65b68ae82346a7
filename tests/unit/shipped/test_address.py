"""An address that moves: how it is written, and what is said of it on the wire."""

from __future__ import annotations

import pytest

from agent.core.errors import UsageError
from agent.shipped.address import address_with_network, arp_frame


def test_an_address_has_its_network_behind_it() -> None:
    """Of both kinds; one without, and what is none, are wrong calls that show how it is written."""
    written = ("192.0.2.10/24", "2001:db8::10/64")
    assert written == tuple(str(address_with_network(one)) for one in written)
    for wrong in ("192.0.2.10", "192.0.2.300/24", "", "eth0"):
        with pytest.raises(UsageError, match=r"192\.0\.2\.10/24"):
            address_with_network(wrong)


def test_gratuitous_arp() -> None:
    """To all, sender and target the same address: a request that asks for no hardware, and a reply to all."""
    hardware, address = bytes.fromhex("020000000001"), bytes([192, 0, 2, 10])
    head = "ffffffffffff0200000000010806000108000604"
    asks = head + "0001020000000001c000020a000000000000c000020a"
    tells = head + "0002020000000001c000020affffffffffffc000020a"
    assert [asks, tells] == [arp_frame(hardware, address, operation).hex() for operation in (1, 2)]
