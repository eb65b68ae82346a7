"""Where ``restore`` reads a moment: in this node's own catalog and vault, or by the agent of another node."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.cli.output import answer_json, remark
from agent.config import load
from agent.config.values import Dataset, Peer, Settings
from agent.core.clock import SystemClock
from agent.core.dataset_kind import DatasetKind
from agent.core.errors import NotFound, NotPermitted, Refused
from agent.generations.afar import NamedMoment, OpenMoment
from agent.generations.any_moment import NOW, any_moment
from agent.generations.lease import leased
from agent.generations.local_time import is_like_a_time, zoned_text
from agent.generations.moments import Moment, Watching, moment_of
from agent.generations.mounting.from_afar import fetching, lay_down
from agent.generations.reading import MomentReader, ReadChunk
from agent.generations.restore.asked import Parts, part_of
from agent.generations.restore.plain_files import ReadMany
from agent.generations.restore.worker import Stores
from agent.operations.declaration import Json
from agent.roles.received import received_until, require_received
from agent.roles.record import ROLE, read_record
from agent.status.state import Role
from agent.status.text import shown
from agent.store.catalog.reader import CatalogReader


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed. ``answers``: where what is answered as JSON goes, with that of others; None: it is said at once."""

    dataset: str
    generation: str
    at: str
    node: str
    to: str
    in_place: bool
    changed_since: str
    paths: tuple[str, ...]
    yes: bool
    dry_run: bool
    as_json: bool
    answers: list[Json] | None = None

    def answer(self, value: Json) -> None:
        """As JSON."""
        if self.answers is None:
            answer_json(value)
        else:
            self.answers.append(value)


@dataclass(frozen=True, slots=True)
class Sought:
    """What is meant by it: the moment, open, by which words a crew opens it too, and the parts of it. ``vault``: its directory on
    this node, "" where another node keeps it; ``since``: only what is not as it was then."""

    settings: Settings
    dataset: Dataset
    moment: Moment
    reader: MomentReader
    read_many: ReadMany
    words: tuple[str, ...]
    vault: str
    parts: Parts
    digest: str
    since: Moment | None


@contextmanager
def sought_here(config: str, typed: Typed) -> Iterator[Sought]:
    """The moment in this node's own stores, leased. Whatever is wrong with what was typed is raised here, before anything is
    touched."""
    settings = load(config)
    dataset = dataset_named(settings, typed.dataset)
    catalog, vault = str(settings.home(dataset.name) / "catalog.db"), str(settings.vault(dataset))
    require_vault(settings, dataset)
    stores = Stores(catalog, vault)
    with stores.opened() as opened:
        reader = opened[0]
        asking, who = Watching(SystemClock().now_ns()), f"hikae restore, process {os.getpid()}"
        moment = moment_of(reader, dataset.name, typed.generation, typed.at, asking)
        require_content(settings, dataset, reader, moment)
        since = any_moment(reader, dataset.name, typed.changed_since, asking) if typed.changed_since else None
        with ExitStack() as stack:
            for one in filter(None, (moment, since)):
                stack.enter_context(leased(reader, one.number, who))
            yield _sought(settings, dataset, typed, opened, moment, stores.words, vault, since)


@contextmanager
def sought_afar(config: str, typed: Typed) -> Iterator[Sought]:
    """The moment of another node, over a call that is its lease: its rows are laid down here, its chunks come as they are read.
    Raises also ``Unreachable``, ``OtherDigest``, ``WireError``."""
    settings = load(config)
    dataset = dataset_named(settings, typed.dataset)
    words = (config, typed.node, dataset.name, typed.generation, zoned_text(typed.at, time.time_ns()))
    with ExitStack() as stack:
        opened = stack.enter_context(_call(*words))
        since = _earlier(stack, config, typed) if typed.changed_since else None
        scratch = stack.enter_context(TemporaryDirectory(prefix="hikae-restore-"))
        path = Path(scratch) / "catalog.db"
        remark(f"{dataset.name}: asking {typed.node} for {opened.found.entries:,} entries")
        moment = lay_down(opened, path, DatasetKind(dataset.kind), lambda: None, since)
        reader = stack.enter_context(CatalogReader.open(str(path)))
        own, source = (str(path), *words), (reader, opened.chunk, _many_of(opened))
        compared = since.found.moment if since is not None else None
        yield _sought(settings, dataset, typed, source, moment, own, "", compared)


def _earlier(stack: ExitStack, config: str, typed: Typed) -> OpenMoment:
    """The moment of the other node that ``--changed-since`` names, by whatever kind of name: of a generation, a time, a mark, or
    ``now``. Raises as ``any_moment``."""
    said, asked = typed.changed_since, (config, typed.node, typed.dataset)
    time_or_mark = zoned_text(said, time.time_ns())
    if said == NOW:
        return stack.enter_context(_call(*asked, "", NOW))
    try:
        return stack.enter_context(_call(*asked, said, ""))
    except NotFound as error:
        try:
            return stack.enter_context(_call(*asked, "", time_or_mark))
        except NotFound as other:
            raise (other if is_like_a_time(said) else error) from None


@contextmanager
def opened_afar(words: tuple[str, ...]) -> Iterator[tuple[CatalogReader, ReadChunk, ReadMany]]:
    """What a process of a crew opens of a moment of another node: the rows that were laid down, and a call of its own."""
    catalog, *named = words
    with _call(*named) as opened, CatalogReader.open(catalog) as reader:
        yield reader, opened.chunk, _many_of(opened)


def _many_of(opened: OpenMoment) -> ReadMany:
    fetch = fetching(opened)

    def read_many(names: Sequence[bytes]) -> dict[bytes, bytes | memoryview]:
        fetch(names)
        return {name: opened.chunk(name) for name in names}

    return read_many


@contextmanager
def _call(config: str, node: str, dataset: str, generation: str, at: str) -> Iterator[OpenMoment]:
    """A moment of a peer. Raises ``NotFound`` for no such peer, ``Unreachable``, and what it raises there."""
    from agent.pki.startable import kept_list
    from agent.rpc.peers.peer_caller import PeerCaller  # gRPC: where nobody asks another node, it is not wanted
    from agent.rpc.tls import Identities, TlsFiles

    settings = load(config)
    who = f"hikae restore on {settings.node.name}, process {os.getpid()}"
    tls = settings.tls
    files = TlsFiles(tls.ca, tls.cert, tls.key, tls.crl, kept_list(settings))
    identities = Identities(files, settings.node.name, SystemClock())
    named = NamedMoment(dataset, generation, at, who)
    with PeerCaller(identities).moment(_peer(settings, node), named, lambda: None) as opened:
        yield opened


def _peer(settings: Settings, node: str) -> Peer:
    for peer in settings.peers:
        if peer.name == node:
            return peer
    known = ", ".join(sorted(one.name for one in settings.peers)) or "none"
    raise NotFound("find the node", node, f"the peers of {settings.node.name}: {known}", "see hikae config show")


def _sought(
    settings: Settings,
    dataset: Dataset,
    typed: Typed,
    opened: tuple[CatalogReader, ReadChunk, ReadMany],
    moment: Moment,
    words: tuple[str, ...],
    vault: str,
    since: Moment | None,
) -> Sought:
    catalog, read, read_many = opened
    tree = MomentReader(catalog, read, moment.number)
    commit = catalog.commit_at(moment.number)
    digest = commit.digest.hex() if commit is not None else ""
    parts = _parts(tree, dataset, moment, typed.paths)
    return Sought(settings, dataset, moment, tree, read_many, words, vault, parts, digest, since)


def dataset_named(settings: Settings, name: str) -> Dataset:
    for dataset in settings.datasets:
        if dataset.name == name:
            return dataset
    names = ", ".join(one.name for one in settings.datasets) or "none"
    raise NotFound("find the dataset", name, f"this node has: {names}", "see hikae config show")


def require_content(settings: Settings, dataset: Dataset, reader: CatalogReader, moment: Moment) -> None:
    """The vault here has the content of the moment: a primary's has none of its own reign. Raises ``NotFound``, ``Damaged``."""
    record, node = read_record(settings.home(dataset.name) / ROLE), settings.node.name
    if record is not None and record.role is Role.PRIMARY:
        others = [one for one in (dataset.primary, *dataset.standby) if one != node]
        require_received(moment, received_until(reader.lineage, node), node, others)


def require_vault(settings: Settings, dataset: Dataset) -> None:
    """This node keeps what moments are read from. Raises ``NotPermitted``, ``NotFound``, ``Refused`` with who does."""
    home, vault = settings.home(dataset.name), settings.vault(dataset)
    catalog = home / "catalog.db"
    if os.geteuid() and not os.access(settings.node.state_dir, os.R_OK | os.X_OK):
        raise NotPermitted("restore", dataset.name, f"{settings.node.state_dir} may not be read", "use sudo")
    if not os.path.exists(catalog):
        raise NotFound("restore", dataset.name, f"nothing of it is kept in {home} yet", "see hikae status")
    if not os.path.exists(os.path.join(vault, "index.db")):
        nodes = ", ".join(name for name in (dataset.primary, *dataset.standby) if name != settings.node.name)
        raise Refused(
            "restore",
            dataset.name,
            "this node keeps no vault of it",
            f"type it on {nodes}, or here with --from {nodes.partition(',')[0]}",
        )


def _parts(tree: MomentReader, dataset: Dataset, moment: Moment, paths: tuple[str, ...]) -> Parts:
    parts = [part_of(os.fsencode(path), os.fsencode(dataset.path)) for path in paths]
    for path in parts:
        if tree.at(path) is None:
            words = shown(path.decode("utf-8", "backslashreplace"))
            remedy = f"hikae find {dataset.name} {words} says when it stood"
            raise NotFound("restore", words, f"it does not stand in {moment.sentence()}", remedy)
    return Parts(parts)
