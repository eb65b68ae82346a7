"""How do the hosts reach each other? Each has a network namespace with one address; a bridge joins them."""

from __future__ import annotations

import subprocess

_SWITCH = "hikae-switch"


class Lan:
    """A switch and one cable a host, named after them. Removes itself; what an earlier run left is removed first."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.addresses = {name: f"10.77.0.{at}" for at, name in enumerate(names, 1)}

    def namespace_of(self, name: str) -> str:
        """The path of a host's network namespace."""
        return f"/run/netns/hikae-{name}"

    def __enter__(self) -> Lan:
        self._remove()
        _ip("netns", "add", _SWITCH)
        _ip("-n", _SWITCH, "link", "add", "switch", "type", "bridge")
        _ip("-n", _SWITCH, "link", "set", "switch", "up")
        for name, address in self.addresses.items():
            self._plug_in(name, address)
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _plug_in(self, name: str, address: str) -> None:
        space = f"hikae-{name}"
        _ip("netns", "add", space)
        _ip("-n", space, "link", "set", "lo", "up")
        _ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", _SWITCH)
        _ip("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", space, "link", "set", "eth0", "up")
        _ip("-n", _SWITCH, "link", "set", name, "master", "switch", "up")

    def _remove(self) -> None:
        for space in (_SWITCH, *(f"hikae-{name}" for name in self.addresses)):
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
