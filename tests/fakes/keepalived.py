"""Debian's keepalived on a host of a private network, by the example of docs/load-balancers.md."""

from __future__ import annotations

from pathlib import Path

from fakes.agents import REPOSITORY
from fakes.private_lan import Lan

EXAMPLE = REPOSITORY / "docs" / "load-balancers" / "keepalived.conf"
#: The address that moves.
SHARED = "10.0.0.100"


def start_keepalived(lan: Lan, base: Path, name: str, peer: str) -> None:
    """The example with both unicast addresses as they are there, and files of its own."""
    text = EXAMPLE.read_text()
    text = text.replace("unicast_src_ip 10.0.0.1", f"unicast_src_ip {lan.hosts[name][1]}")
    text = text.replace("        10.0.0.2\n", f"        {lan.hosts[peer][1]}\n")
    path = base / f"keepalived-{name}.conf"
    path.write_text(text)
    path.chmod(0o600)
    files = [f"{flag}{base}/{name}-{flag.strip('-=')}.pid" for flag in ("--pid=", "--vrrp_pid=", "--checkers_pid=")]
    lan.start(name, "keepalived", "--dont-fork", "--log-console", "--vrrp", f"--use-file={path}", *files)
