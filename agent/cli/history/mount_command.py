"""``mount``: history as a read-only filesystem, in the process of the command."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.context import Context
from agent.cli.output import remark
from agent.config import load
from agent.config.values import Dataset, Settings
from agent.core.clock import SystemClock
from agent.core.dataset_kind import DatasetKind
from agent.core.errors import HikaeError, NotFound, NotPermitted, Refused, UsageError

if TYPE_CHECKING:
    from agent.generations.afar import OpenMoment

_MOUNT = "mount the history"
#: What could not be read is said so often at most: programs may ask for it again and again.
_TROUBLES = 100


@click.command()
@click.argument("dataset")
@click.argument("directory", metavar="DIR")
@click.option("--generation", metavar="G", default="", help="Only this generation, at DIR itself.")
@click.option("--at", metavar="MOMENT", default="", help="Only the tree at this moment, at DIR itself.")
@click.option(
    "--from", "node", metavar="NODE", default="", help="A moment of that node's history, by default its latest."
)
@click.option(
    "--allow-other",
    is_flag=True,
    help="Let other users in, as far as modes and access lists let them; by-path is for you.",
)
@click.option(
    "--writable",
    is_flag=True,
    help="Of a device: let its images be written to; what is written stands in TMPDIR and goes with the mount.",
)
@click.pass_obj
def mount(
    context: Context,
    dataset: str,
    directory: str,
    generation: str,
    at: str,
    node: str,
    allow_other: bool,
    writable: bool,
) -> None:
    """Show what can be brought back as a read-only filesystem.

    DIR has a directory for each generation, and latest; at/MOMENT is the tree at a time ("at/2026-11-22 02:13") or at a mark;
    by-path/PATH/ has every version of a file. The command runs until DIR is unmounted (umount DIR), or it is ended with Ctrl-C
    or SIGTERM. What was looked into stays whole until then, whatever expires. It works while no agent runs, too; --from asks the
    agent of another node, and shows one moment at DIR itself.

    Of a device each moment is a raw image, NAME.img, to be copied, or read file by file through a loop device: losetup -r -P,
    then mount -o ro,noload of it or of its partition. With --writable it can be mounted as any disk, and started from."""
    settings = load(context.config_path)
    found = _dataset(settings, dataset)
    home, vault = settings.home(dataset), settings.vault(found)
    node = "" if node == settings.node.name else node
    if not node:
        _require_history(settings, found, home, vault)
    if writable and not found.is_device:
        reason = "only a device's images take writes, and this is a tree"
        raise UsageError(_MOUNT, dataset, reason, "leave --writable out; hikae restore makes a directory to write to")
    # Only now: SQLite and what reads a vault take a while to import.
    from agent.generations.mounting.fuse import MountOptions, require_fuse
    from agent.generations.mounting.mount import Mounted, MountedAfar, MountTelling, mount_from_afar, mount_history
    from agent.generations.mounting.mount_point import require_mount_point

    require_fuse()
    kept_apart = {found.path: "the dataset", settings.node.state_dir: "the agent's state", str(vault): "the vault"}
    require_mount_point(directory, kept_apart)
    telling = MountTelling(
        meant=lambda moment: remark(moment.sentence()),
        mounted=lambda: remark(f"{dataset}: mounted at {directory}; umount {directory}, or Ctrl-C, ends it"),
        trouble=_told_at_most(_TROUBLES),
    )
    options, place = MountOptions(f"hikae:{dataset}", allow_other, writable), os.path.abspath(directory)
    kind, writes = DatasetKind(found.kind), tempfile.gettempdir() if writable else ""
    if not node:
        mount_history(Mounted(dataset, home, vault, kind, generation, at, writes), place, options, telling)
        return
    with _afar(settings, dataset, node, generation, at) as opened:
        mount_from_afar(MountedAfar(dataset, kind, writes), opened, place, options, telling)


@contextmanager
def _afar(settings: Settings, dataset: str, node: str, generation: str, at: str) -> Iterator[OpenMoment]:
    """A moment of a peer. Raises ``NotFound`` for no such peer, ``UsageError``, ``Unreachable``, and what it raises there."""
    peer = next((one for one in settings.peers if one.name == node), None)
    if peer is None:
        known = ", ".join(sorted(one.name for one in settings.peers)) or "none"
        raise NotFound("find the node", node, f"the peers of {settings.node.name}: {known}", "see hikae config show")
    from agent.generations.afar import NamedMoment
    from agent.generations.local_time import zoned_text
    from agent.pki.startable import kept_list
    from agent.rpc.peers.peer_caller import PeerCaller
    from agent.rpc.tls import Identities, TlsFiles

    who = f"hikae mount on {settings.node.name}, process {os.getpid()}"
    named = NamedMoment(dataset, generation or ("" if at else "latest"), zoned_text(at, time.time_ns()), who)
    tls = settings.tls
    files = TlsFiles(tls.ca, tls.cert, tls.key, tls.crl, kept_list(settings))
    identities = Identities(files, settings.node.name, SystemClock())
    with PeerCaller(identities).moment(peer, named, lambda: None) as opened:
        yield opened


def _told_at_most(most: int) -> Callable[[str, HikaeError], None]:
    told = 0

    def tell(path: str, error: HikaeError) -> None:
        nonlocal told
        told += 1
        if told <= most:
            remark(f"hikae: {path}: {error}")

    return tell


def _dataset(settings: Settings, name: str) -> Dataset:
    known = {one.name: one for one in settings.datasets}
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise NotFound("find the dataset", name, f"this node has: {names}", "see hikae config show")
    return known[name]


def _require_history(settings: Settings, dataset: Dataset, home: Path, vault: Path) -> None:
    """Raises ``Refused`` where another node keeps the history, ``NotPermitted`` where this user may not look."""
    try:
        os.listdir(home)
    except PermissionError as error:
        raise NotPermitted(_MOUNT, str(home), "only the agent's user may read it", "use sudo") from error
    except FileNotFoundError as error:
        raise NotFound(_MOUNT, dataset.name, "nothing was ever kept here", "systemctl status hikae") from error
    if not (vault / "index.db").exists():
        others = [one for one in dataset.standby if one != settings.node.name]
        where = " or ".join(others) or "its standby"
        reason = f"its history is not kept on {settings.node.name}"
        remedy = f"on {where}: hikae mount {dataset.name} DIR; or here with --from {others[0] if others else 'NODE'}"
        raise Refused(_MOUNT, dataset.name, reason, remedy)
