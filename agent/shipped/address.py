"""An address that moves with the role: on an interface or not, and announced, so that nobody sends to the other node any more."""

from __future__ import annotations

import fcntl
import ipaddress
import json
import socket
import struct
from typing import Any

from agent.core.errors import HikaeError, UsageError
from agent.shipped.running import output_of

_OPERATION = "move the address"
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

_ETHERTYPE_ARP, _BROADCAST = 0x0806, b"\xff" * 6
_SIOCGIFHWADDR = 0x8927
#: Said more than once: a switch may drop one.
_TIMES = 3
_NEIGHBOUR_ADVERTISEMENT, _OVERRIDE, _TARGET_LINK_ADDRESS = 136, 0x20000000, 2


def address_with_network(text: str) -> Interface:
    """``192.0.2.10/24``. Raises ``UsageError``."""
    try:
        if "/" not in text:
            raise ValueError("it has no length of its network")
        return ipaddress.ip_interface(text)
    except ValueError as error:
        raise UsageError(_OPERATION, text, str(error), "write it with its network: 192.0.2.10/24") from error


def is_on(interface: str, address: Interface) -> bool:
    """Whether the interface has the address. Raises ``HikaeError``."""
    remedy = "ip link shows the interfaces of this machine"
    said = output_of(("ip", "-json", "address", "show", "dev", interface), _OPERATION, interface, remedy)
    links: list[dict[str, Any]] = json.loads(said)  # Any: iproute2's JSON
    found = [one for link in links for one in link.get("addr_info", ())]
    return any(ipaddress.ip_address(one["local"]) == address.ip for one in found if "local" in one)


def bring_up(interface: str, address: Interface) -> str:
    """The interface has the address, and all that hear are told so; what was done. Raises ``HikaeError``."""
    had = is_on(interface, address)
    if not had:
        # Nobody else is asked for an IPv6 address first: the other node may be cut off and unable to give it back.
        words = ("ip", "address", "add", str(address), "dev", interface)
        output_of((*words, "nodad") if address.version == 6 else words, _OPERATION, str(address))
    announce(interface, address)
    return f"{address} {'was' if had else 'is'} on {interface}, and was announced"


def take_down(interface: str, address: Interface) -> str:
    """The interface has not the address; what was done. Raises ``HikaeError``."""
    if not is_on(interface, address):
        return f"{address} is not on {interface}"
    output_of(("ip", "address", "delete", str(address), "dev", interface), _OPERATION, str(address))
    return f"{address} was taken from {interface}"


def announce(interface: str, address: Interface) -> None:
    """Gratuitous ARP, or an unsolicited neighbour advertisement. Raises ``HikaeError``."""
    try:
        for _ in range(_TIMES):
            if address.version == 4:
                _announce_arp(interface, address.ip.packed)
            else:
                _announce_neighbour(interface, address.ip.packed)
    except OSError as error:
        remedy = "is the interface up? ip link set dev NAME up; it needs CAP_NET_RAW"
        raise HikaeError("announce the address", str(address), error.strerror or str(error), remedy) from error


def arp_frame(hardware: bytes, address: bytes, operation: int) -> bytes:
    """An ARP packet (RFC 826) in which sender and target are the same address; operation 1 is a request, 2 a reply."""
    ethernet = _BROADCAST + hardware + struct.pack("!H", _ETHERTYPE_ARP)
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    target = bytes(6) if operation == 1 else _BROADCAST
    return ethernet + head + hardware + address + target + address


def _announce_arp(interface: str, address: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sends:
        sends.bind((interface, 0))
        hardware = _hardware(sends, interface)
        for operation in (1, 2):
            sends.send(arp_frame(hardware, address, operation))


def _announce_neighbour(interface: str, address: bytes) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sends:
        sends.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        hardware = _hardware(sends, interface)
        head = struct.pack("!BBHI", _NEIGHBOUR_ADVERTISEMENT, 0, 0, _OVERRIDE)
        option = struct.pack("!BB", _TARGET_LINK_ADDRESS, 1) + hardware
        sends.sendto(head + address + option, ("ff02::1", 0, 0, socket.if_nametoindex(interface)))


def _hardware(asks: socket.socket, interface: str) -> bytes:
    asked = struct.pack("256s", interface.encode()[:15])
    return fcntl.ioctl(asks.fileno(), _SIOCGIFHWADDR, asked)[18:24]
