"""``hook``: programs for [dataset.hooks] that come with hikae."""

from __future__ import annotations

import click

from agent.cli.groups import Group
from agent.cli.output import say


@click.group(cls=Group)
def hook() -> None:
    """Programs for [dataset.hooks], each done already where it is so already.

    start = ["hikae", "hook", "address-up", "eth0", "192.0.2.10/24"] is an address that moves with the role; the stop and
    on_fenced hooks take it down. Several things in one hook: let it be a script of yours that calls them."""


@hook.command("address-up")
@click.argument("interface")
@click.argument("address")
def address_up(interface: str, address: str) -> None:
    """Put ADDRESS (192.0.2.10/24) on INTERFACE, and announce it."""
    from agent.shipped.address import address_with_network, bring_up

    say(bring_up(interface, address_with_network(address)))


@hook.command("address-down")
@click.argument("interface")
@click.argument("address")
def address_down(interface: str, address: str) -> None:
    """Take ADDRESS from INTERFACE."""
    from agent.shipped.address import address_with_network, take_down

    say(take_down(interface, address_with_network(address)))


@hook.command("units-start")
@click.argument("units", nargs=-1, required=True)
def units_start(units: tuple[str, ...]) -> None:
    """Start systemd's UNITS, in this order."""
    from agent.shipped.units import start_units

    say(start_units(units))


@hook.command("units-stop")
@click.argument("units", nargs=-1, required=True)
def units_stop(units: tuple[str, ...]) -> None:
    """Stop systemd's UNITS, the last one first."""
    from agent.shipped.units import stop_units

    say(stop_units(units))


@hook.command("mount")
@click.argument("source")
@click.argument("directory")
@click.option("--type", "kind", default="", help="The kind of filesystem; mount finds most by itself.")
@click.option("--options", default="", help="As for mount -o.")
def mounted(source: str, directory: str, kind: str, options: str) -> None:
    """Mount SOURCE at DIRECTORY."""
    from agent.shipped import mounts

    say(mounts.mount_source(source, directory, kind, options))


@hook.command("umount")
@click.argument("directory")
def unmounted(directory: str) -> None:
    """Unmount what is mounted at DIRECTORY."""
    from agent.shipped import mounts

    say(mounts.unmount(directory))


@hook.command("show")
@click.argument("directory")
@click.argument("view")
@click.option("--writable", is_flag=True, help="After a promotion: it can be written to there.")
def show(directory: str, view: str, writable: bool) -> None:
    """Show the standby in DIRECTORY at VIEW, read-only."""
    from agent.shipped import mounts

    say(mounts.show(directory, view, writable=writable))
