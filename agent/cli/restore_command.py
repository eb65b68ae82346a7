"""``restore``: a moment, or parts of it, brought back by this process."""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, progress_shown, remark, say
from agent.core.errors import Exit, NotFound, NotPermitted, Refused, UsageError
from agent.core.ids import epoch_of, seq_of
from agent.operations.declaration import Json, Progress
from agent.status.figures import size_text, stamp
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.config.values import Dataset, Settings
    from agent.core.rows import ObjectRow
    from agent.generations.moments import Moment
    from agent.generations.reading import MomentReader
    from agent.generations.restore.asked import Parts
    from agent.generations.restore.crew import Crew
    from agent.generations.restore.gates import NeededRoom
    from agent.generations.restore.results import Done
    from agent.generations.restore.worker import Stores

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed."""

    dataset: str
    generation: str
    at: str
    to: str
    in_place: bool
    changed_since: str
    paths: tuple[str, ...]
    yes: bool
    dry_run: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Sought:
    """What is meant by it: the moment, open, and the parts of it."""

    settings: Settings
    dataset: Dataset
    moment: Moment
    reader: MomentReader
    stores: Stores
    parts: Parts
    digest: str
    since: Moment | None


@click.command()
@click.argument("dataset")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--generation", default="", metavar="G", help="The generation: its name or part of it, its label, latest~1."
)
@click.option(
    "--at", default="", metavar="MOMENT", help='A moment of the history: "2026-11-22 02:13", or a mark\'s label.'
)
@click.option(
    "--to", default="", metavar="DIR|FILE", help="Where to: a directory, empty or none yet; of one file, its path."
)
@click.option("--in-place", is_flag=True, help="Make the dataset's own directory so; only what differs is written.")
@click.option("--changed-since", default="", metavar="MOMENT", help="Only what is not as it was then.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be restored.")
@json_option
@click.pass_obj
def restore(
    context: Context,
    dataset: str,
    paths: tuple[str, ...],
    generation: str,
    at: str,
    to: str,
    in_place: bool,
    changed_since: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Bring back a moment, or parts of it, with all metadata.

    Every chunk is checked. Typed on the node that keeps the dataset's vault, whether its agent runs or not. Nothing is deleted:
    what is in the way is moved to .hikae/displaced. One that was cut off goes on where it was when it is typed again. Exit code 1
    when something could not be restored; the rest was."""
    typed = Typed(dataset, generation, at, to, in_place, changed_since, paths, yes, dry_run, as_json)
    if bool(to) == in_place:
        raise UsageError("restore", dataset, "one of --to and --in-place is needed, and only one")
    from agent.generations.restore.crew import Crew

    with Crew() as crew, _found(context, typed) as found:
        remark(f"{dataset}: {found.moment.sentence()}")
        if found.since is not None:
            remark(f"  only what is not as in {found.since.sentence()}")
        return _restored(context, typed, found, crew)


@contextmanager
def _found(context: Context, typed: Typed) -> Iterator[Sought]:
    """Whatever is wrong with what was typed is said here, before anything is touched."""
    from agent.config import load
    from agent.core.clock import SystemClock
    from agent.generations.any_moment import any_moment
    from agent.generations.lease import leased
    from agent.generations.moments import Watching, moment_of
    from agent.generations.reading import MomentReader
    from agent.generations.restore.worker import Stores

    settings = load(context.config_path)
    dataset = _dataset(settings, typed.dataset)
    catalog, vault = str(settings.home(dataset.name) / "catalog.db"), str(settings.vault(dataset))
    _require_vault(settings, dataset, catalog, vault)
    with Stores(catalog, vault).opened() as (reader, read, _):
        asking, who = Watching(SystemClock().now_ns()), f"hikae restore, process {os.getpid()}"
        moment = moment_of(reader, dataset.name, typed.generation, typed.at, asking)
        since = any_moment(reader, dataset.name, typed.changed_since, asking) if typed.changed_since else None
        with leased(reader, moment.number, who), leased(reader, (since or moment).number, who):
            tree = MomentReader(reader, read, moment.number)
            commit = reader.commit_at(moment.number)
            digest = commit.digest.hex() if commit is not None else ""
            parts = _parts(tree, dataset, moment, typed.paths)
            yield Sought(settings, dataset, moment, tree, Stores(catalog, vault), parts, digest, since)


def _dataset(settings: Settings, name: str) -> Dataset:
    for dataset in settings.datasets:
        if dataset.name == name:
            return dataset
    names = ", ".join(one.name for one in settings.datasets) or "none"
    raise NotFound("find the dataset", name, f"this node has: {names}", "see hikae config show")


def _require_vault(settings: Settings, dataset: Dataset, catalog: str, vault: str) -> None:
    home = settings.home(dataset.name)
    if os.geteuid() and not os.access(settings.node.state_dir, os.R_OK | os.X_OK):
        raise NotPermitted("restore", dataset.name, f"{settings.node.state_dir} may not be read", "use sudo")
    if not os.path.exists(catalog):
        raise NotFound("restore", dataset.name, f"nothing of it is kept in {home} yet", "see hikae status")
    if not os.path.exists(os.path.join(vault, "index.db")):
        nodes = ", ".join(name for name in (dataset.primary, *dataset.standby) if name != settings.node.name)
        raise Refused("restore", dataset.name, "this node keeps no vault of it", f"type it on {nodes}")


def _parts(tree: MomentReader, dataset: Dataset, moment: Moment, paths: tuple[str, ...]) -> Parts:
    from agent.generations.restore.asked import Parts, part_of

    parts = [part_of(os.fsencode(path), os.fsencode(dataset.path)) for path in paths]
    for path in parts:
        if tree.at(path) is None:
            words = shown(path.decode("utf-8", "backslashreplace"))
            remedy = f"hikae find {dataset.name} {words} says when it stood"
            raise NotFound("restore", words, f"it does not stand in {moment.sentence()}", remedy)
    return Parts(parts)


def _restored(context: Context, typed: Typed, found: Sought, crew: Crew) -> int:
    from agent.generations.restore.gates import NeededRoom, is_on_the_vaults_disk, needed, refuse_place

    commit = found.reader.catalog.commit_at(found.moment.number)
    if found.since is not None:
        need = NeededRoom(0, 0, 0)
    elif found.parts.is_whole and commit is not None:
        need = NeededRoom(commit.entries, commit.bytes, commit.bytes + 4096 * commit.entries)
    else:
        need = needed(found.reader, found.parts, exactly=False)
    to = found.dataset.path if typed.in_place else os.path.abspath(typed.to)
    if typed.in_place:
        _require_primary(found)
    else:
        refuse_place(found.settings, to)
        if is_on_the_vaults_disk(found.stores.vault, to):
            remark(f"  {shown(to)} is on the disk of the vault: who loses that disk loses both")
    if typed.dry_run:
        _answer_dry(typed, found, need, to)
        return Exit.DONE
    if typed.in_place:
        _confirm(context, typed, found)
    file = _single_file(found, typed)
    with progress_shown(f"restoring {typed.dataset}", not typed.as_json) as progress:
        if file is not None:
            from agent.generations.restore.one_file import restore_file

            done = restore_file(found.reader, *file, to)
        else:
            done = _into_directory(found, typed, to, need, crew, progress)
    _answer(typed, found, done, to)
    return Exit.DONE if done.is_whole else Exit.FAILED


def _into_directory(found: Sought, typed: Typed, to: str, need: NeededRoom, crew: Crew, progress: Progress) -> Done:
    from agent.apply.ports import nothing_left_out
    from agent.capture.exclude import Rules
    from agent.config.nesting import apart
    from agent.generations.restore.gates import refuse_small
    from agent.generations.restore.restoring import Restoration, restore_into
    from agent.generations.restore.target import Order, open_target

    dataset = found.dataset
    rules = Rules(dataset.exclude, dataset.include, apart(dataset, found.settings.datasets))
    left_out = rules.excluded if rules and typed.in_place else nothing_left_out
    since = found.since.number if found.since is not None else None
    parts = (*(os.fsdecode(path) for path in found.parts.paths), *((f"changed since {since}",) if since else ()))
    order = Order(dataset.name, found.digest, parts)
    if not typed.in_place:
        refuse_small(to, found.reader, found.parts, need)
    target = open_target(to, order, in_place=typed.in_place)
    try:
        if target.resumed:
            remark("  a restore that was cut off goes on where it was")
        look = _telling(progress, need)
        return restore_into(
            target,
            Restoration(found.reader, found.stores, found.parts, left_out, look, since),
            crew,
            secrets.token_hex(4),
        )
    finally:
        target.close()


def _require_primary(found: Sought) -> None:
    """What is written in place must be the source's: a standby is made equal to its primary again."""
    from agent.roles.assignment import assign
    from agent.roles.record import ROLE, read_record
    from agent.status.state import Role

    settings, dataset = found.settings, found.dataset
    home = settings.home(dataset.name)
    assigned = assign(read_record(home / ROLE), dataset, settings.node.name, home)
    if assigned.role is not Role.PRIMARY:
        reason = (
            f"{dataset.path} is the standby here, and follows {assigned.primary}: it would be made equal to that again"
        )
        remedy = f"restore to a directory and copy it to {assigned.primary}, or roll the dataset back there"
        raise Refused("restore in place", dataset.name, reason, remedy)


def _confirm(context: Context, typed: Typed, found: Sought) -> None:
    if typed.yes:
        return
    what = "all of it" if found.parts.is_whole else f"{len(found.parts.paths)} of its paths"
    if not context.person.can_be_asked():
        reason = "it overwrites what stands there now and nobody can be asked here"
        raise Refused("restore in place", typed.dataset, reason, "add --yes if it is meant")
    text = f"Make {what} in {found.dataset.path} so? What differs is overwritten, what is in the way is moved aside."
    if not context.person.agrees(shown(text)):
        raise Refused("restore in place", typed.dataset, "not confirmed", "nothing was changed")


def _single_file(found: Sought, typed: Typed) -> tuple[bytes, ObjectRow] | None:
    """The one entry that is restored to a path of its own, and its object; None where the target is a directory."""
    if typed.in_place or len(found.parts.paths) != 1 or typed.to.endswith("/") or os.path.isdir(typed.to):
        return None
    (path,) = found.parts.paths
    row = found.reader.at(path)
    return None if row is None or row.kind == stat.S_IFDIR else (path, row)


def _telling(progress: Progress, need: NeededRoom) -> Callable[[Done], None]:
    """Tell how it goes, with an estimate by what was done so far."""
    began = time.monotonic()

    def look(done: Done) -> None:
        took, share = time.monotonic() - began, done.verified / need.size if need.size else 0.0
        value: Json = {"phase": "restore", "done_bytes": done.verified, "total_bytes": need.size}
        value |= {"done_entries": done.entries, "total_entries": need.entries}
        value["eta_seconds"] = took / share - took if share > 0.01 else None
        progress(value)

    return look


def _answer_dry(typed: Typed, found: Sought, need: NeededRoom, to: str) -> None:
    if typed.as_json:
        answer_json(_json(found, need.entries, need.size, 0, 0) | {"target": to})
        return
    say(f"{typed.dataset}: {need.entries:,} entries, {size_text(need.size)}, would be restored to {to}")


def _answer(typed: Typed, found: Sought, done: Done, to: str) -> None:
    if typed.as_json:
        answer_json(_json(found, done.entries, done.size, done.written, done.verified) | _told(done, to))
        return
    but = "" if done.is_whole else f", but for {done.unmade_count + done.owed_count:,} that follow"
    say(f"{typed.dataset}: restored to {to}: {done.entries:,} entries, {size_text(done.size)}{but}")
    say(
        f"  {size_text(done.written)} written; every chunk was read and its name computed anew: {size_text(done.verified)}"
    )
    if done.displaced:
        say(f"  {done.displaced:,} entries were in the way and are now in {to}/.hikae/displaced")
    for one in done.unmade[:_SHOWN]:
        chunk = f" (chunk {one.chunk})" if one.chunk else ""
        say(f"  {one.path.decode('utf-8', 'backslashreplace')}: {one.reason}{chunk}")
    for path in done.owed[:_SHOWN]:
        say(f"  {path.decode('utf-8', 'backslashreplace')}: its content never came, as the primary could not read it")
    left = done.unmade_count + done.owed_count - min(len(done.unmade), _SHOWN) - min(len(done.owed), _SHOWN)
    if left:
        remark(f"  and {left:,} more: --json lists more of them")


def _json(found: Sought, entries: int, size: int, written: int, verified: int) -> Json:
    moment = found.moment
    answer: Json = {"moment": moment.name or stamp(moment.time), "time": stamp(moment.time), "label": moment.label}
    answer |= {
        "dataset": found.dataset.name,
        "commit": {"epoch": epoch_of(moment.number), "seq": seq_of(moment.number)},
    }
    return answer | {"entries": entries, "bytes": size, "written_bytes": written, "verified": verified}


def _told(done: Done, to: str) -> Json:
    def text(path: bytes) -> str:
        return path.decode("utf-8", "backslashreplace")

    unmade = [{"path": text(one.path), "reason": one.reason, "chunk": one.chunk or None} for one in done.unmade]
    owed = [text(path) for path in done.owed]
    counts: Json = {"displaced": done.displaced, "unmade_count": done.unmade_count, "incomplete_count": done.owed_count}
    return {"target": to, "unmade": unmade, "incomplete": owed} | counts
