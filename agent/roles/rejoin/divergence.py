"""What a node alone has becomes a commit that it never offers, before anything overwrites it (law 8).

Where its state is that of the newest commit that both nodes know, the commit says so (``same_as``), and nothing more is kept.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass

from agent.adopt.filling.fill_mark import OWNER
from agent.core.commit import Commit, CommitKind, Provenance
from agent.core.errors import Refused
from agent.core.ids import LOCAL_BIT, CommitNumber, ObjectId, epoch_of, is_local, local_commit, seq_of
from agent.core.rows import NAME_TAG, decode_name, decode_object, is_object, object_id_of_key, tag_of_key
from agent.generations.naming import generation_name
from agent.roles.rejoin.steps import KeptDivergence, WantedRejoin
from agent.status.text import shown
from agent.store.catalog.catalog import Catalog, Header
from agent.store.catalog.generation import Cause, Generation
from agent.store.catalog.kept import KeptCommit
from agent.stream.locator import is_known

LABEL = "divergence"
#: So many paths are told to who asked, and so many stand in the generation's note.
PATHS, NOTED = 1000, 20


@dataclass(frozen=True, slots=True)
class KeptAt:
    """``now``: UTC ns; ``dated``: by the retention clock, ns; ``node``: whose it is."""

    now: int
    dated: int
    node: str


def keep_divergence(catalog: Catalog, wanted: WantedRejoin, at: KeptAt, *, fills: bool) -> KeptDivergence:
    """Make what stands the newest commit, of this node alone, and keep it. ``fills``: a vault is to be filled from it. Run twice
    it keeps nothing twice. Raises ``Refused`` where nothing was ever captured, and as ``Catalog.seal``."""
    newest = catalog.newest()
    if newest is None:
        reason = "nothing was ever captured here, so there is nothing to go on from"
        raise Refused("rejoin", wanted.dataset, reason, "wait for the first walk, and type it again")
    common = wanted.common if wanted.common is not None and is_known(catalog, wanted.common) else None
    same = common is not None and common.digest == newest.digest
    kind = CommitKind.RETURN if same else CommitKind.DIVERGENCE
    same_as = common.number if common is not None and same else CommitNumber(0)
    sealed = (
        newest if newest.provenance.kind is kind else _sealed(catalog, newest, Provenance(kind, same_as=same_as), at)
    )
    if fills:
        catalog.keep([KeptCommit(sealed.number, OWNER, time=at.now)])
    if same:
        return KeptDivergence(sealed.number, "", (), 0)
    paths, count = diverged_paths(catalog, common.number if common is not None else None, sealed.number)
    return KeptDivergence(sealed.number, _generation(catalog, sealed, wanted, at, paths, count), paths, count)


def _sealed(catalog: Catalog, newest: Commit, made: Provenance, at: KeptAt) -> Commit:
    seq = (seq_of(newest.number) & ~LOCAL_BIT) + 1 if is_local(newest.number) else 1
    number, time = local_commit(epoch_of(newest.number), seq), max(at.now, newest.time)
    header = Header(number, newest.number, time, time, newest.consistent, digest=newest.digest, provenance=made)
    return catalog.seal(header, catalog.pack_end())


def _generation(
    catalog: Catalog, sealed: Commit, wanted: WantedRejoin, at: KeptAt, paths: list[str], count: int
) -> str:
    known = catalog.generations()
    there = next((one.name for one in known if one.number == sealed.number), None)
    if there is not None:
        return there
    one = Generation(
        name=generation_name(at.now, {one.name for one in known}),
        number=sealed.number,
        taken=at.now,
        dated=at.dated,
        cause=Cause.BEFORE,
        label=_label({one.label for one in known}),
        pinned=True,
        incomplete=catalog.owed_count(sealed.number),
        note=_note(wanted, at, paths, count),
    )
    catalog.keep_generations([one])
    return one.name


def _label(taken: set[str]) -> str:
    """A label names one generation."""
    number = 1
    while (label := LABEL if number == 1 else f"{LABEL}-{number}") in taken:
        number += 1
    return label


def _note(wanted: WantedRejoin, at: KeptAt, paths: list[str], count: int) -> str:
    first = ", ".join(paths[:NOTED])
    more = f", and {count - NOTED:,} more" if count > NOTED else ""
    return f"what {at.node} had and {wanted.epoch.owner} lacks: {count:,} paths: {first}{more}"


def diverged_paths(catalog: Catalog, common: CommitNumber | None, at: CommitNumber) -> tuple[list[str], int]:
    """The first paths of which the state differs between two commits, sorted, and how many there are. ``common`` None: that is
    not known, and so is no path."""
    if common is None:
        return [], 0
    found: set[bytes] = set()
    for batch in catalog.difference(common, at):
        for key, old, new in batch:
            found.update(_paths_of(catalog, common, at, key, old, new))
    return [shown(path) for path in sorted(found)[:PATHS]], len(found)


def _paths_of(
    catalog: Catalog, common: CommitNumber, at: CommitNumber, key: bytes, old: bytes | None, new: bytes | None
) -> Iterator[bytes]:
    if tag_of_key(key) == NAME_TAG:
        row = decode_name(new or old or b"")
        parent = catalog.path_of(row.parent, at if new is not None else common)
        if parent is not None:
            yield parent + b"/" + row.name if parent else row.name
    elif old is not None and new is not None and not _is_directory(new):
        path = catalog.path_of(ObjectId(object_id_of_key(key)), at)
        if path:
            yield path


def _is_directory(row: bytes) -> bool:
    return is_object(row) and stat.S_ISDIR(decode_object(row).mode)
