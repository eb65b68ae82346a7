"""``restore``: a moment, or parts of it, brought back by this process."""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from agent.cli.context import Context
from agent.cli.output import json_option, progress_shown, remark
from agent.config import load
from agent.core.errors import Exit, Refused, UsageError
from agent.operations.declaration import Json, Progress
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.cli.history.kept_before import KeptInPlace
    from agent.cli.history.restore_sources import Sought, Typed
    from agent.core.rows import ObjectRow
    from agent.generations.restore.crew import Crew
    from agent.generations.restore.results import Done
    from agent.generations.restore.room import NeededRoom
    from agent.generations.restore.stood_before import StoodBefore


@click.command()
@click.argument("dataset", default="")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--group", default="", metavar="G", help="Each dataset of this group, all of one moment, below --to.")
@click.option(
    "--generation", default="", metavar="G", help="The generation: its name or part of it, its label, latest~1."
)
@click.option(
    "--at", default="", metavar="MOMENT", help='A moment of the history: "2026-11-22 02:13", or a mark\'s label.'
)
@click.option(
    "--to",
    default="",
    metavar="DIR|FILE|DEVICE",
    help="Where to: a directory, empty or none yet; of one file, its path; of a device, an image file or a block device.",
)
@click.option("--in-place", is_flag=True, help="Make the dataset's own directory so; only what differs is written.")
@click.option("--changed-since", default="", metavar="MOMENT", help="Only what is not as it was then.")
@click.option("--from", "node", default="", metavar="NODE", help="From the history that this node keeps.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be restored.")
@json_option
@click.pass_obj
def restore(
    context: Context,
    dataset: str,
    paths: tuple[str, ...],
    group: str,
    generation: str,
    at: str,
    to: str,
    in_place: bool,
    changed_since: str,
    node: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Bring back a moment, or parts of it, with all metadata; of a device, all of it.

    Every chunk is checked. Typed on the node that keeps the dataset's vault, whether its agent runs or
    not, or on any other with --from, which asks that node's agent. Nothing is deleted: what is in the way is moved to
    .hikae/displaced. One that was cut off goes on where it was when it is typed again. Of a device only what differs is written;
    a target that is larger stays so, one that anybody uses is refused, and all that was written is read back. Exit code 1 when
    something could not be restored; the rest was.

    With --in-place a generation keeps what stood: on the node of --from, or on the first standby that has all of it. Its name is
    said before anything is written. Where none can be taken, or it lacks something, it is said why and asked once more whether
    to go on; with --yes it is said on stderr, and the restore goes on.

    With --group a directory, or an image, is made below --to for each dataset of the group, named as it is: all of the same
    moment, which hikae generations take --group took. --at is the newest such moment that was taken by then."""
    if bool(dataset) == bool(group):
        reason = "one of DATASET and --group G is needed, and only one"
        raise UsageError("restore", dataset or group, reason, "hikae restore DATASET --generation G --to DIR")
    if bool(to) == in_place:
        raise UsageError("restore", dataset or group, "one of --to and --in-place is needed, and only one")
    if bool(generation) == bool(at):
        raise UsageError("restore", dataset or group, "one of --generation and --at is needed, and only one")
    # Only now: SQLite and what reads a vault take a while to import.
    from agent.cli.history.restore_sources import Typed

    typed = Typed(dataset, generation, at, node, to, in_place, changed_since, paths, yes, dry_run, as_json)
    if group:
        from agent.cli.history.restore_group import restore_group

        return restore_group(context, group, typed, restore_typed)
    return restore_typed(context, typed)


def restore_typed(context: Context, typed: Typed) -> int:
    """Bring back what was typed of one dataset; the exit code."""
    from agent.cli.history.restore_sources import dataset_named, opened_afar, sought_afar, sought_here
    from agent.generations.restore.crew import Crew
    from agent.generations.restore.worker import opened_here

    settings, dataset = load(context.config_path), typed.dataset
    is_afar = bool(typed.node) and typed.node != settings.node.name
    opens, seek = (opened_afar, sought_afar) if is_afar else (opened_here, sought_here)
    if dataset_named(settings, dataset).is_device:
        from agent.cli.history.restore_device import restore_device

        return restore_device(context, typed, seek)
    with Crew(opens=opens) as crew, seek(context.config_path, typed) as found:
        remark(f"{dataset}: {found.moment.sentence()}")
        if found.since is not None:
            remark(f"  only what is not as in {found.since.sentence()}")
        return _restored(context, typed, found, crew)


def _restored(context: Context, typed: Typed, found: Sought, crew: Crew) -> int:
    from agent.cli.history.restore_answer import answer_dry, answer_restored
    from agent.generations.restore.gates import is_on_the_vaults_disk, refuse_place

    file = _single_file(found, typed)
    need = _need(found, whole_file=file is not None)
    to = found.dataset.path if typed.in_place else os.path.abspath(typed.to)
    if typed.in_place:
        _require_primary(found)
        _refuse_running_system(found)
    else:
        refuse_place(found.settings, to)
        if found.vault and is_on_the_vaults_disk(found.vault, to):
            remark(f"  {shown(to)} is on the disk of the vault: who loses that disk loses both")
    if typed.dry_run:
        answer_dry(typed, found, need, to)
        return Exit.DONE
    if typed.in_place:
        _refuse_small_in_place(found, to, need)
        _confirm(context, typed, found)
    stands = _kept_before(context, typed, found) if typed.in_place else None
    with progress_shown(f"restoring {typed.dataset}", not typed.as_json) as progress:
        look = _telling(progress, need)
        if file:
            done, kept = _into_file(found, file, to, need, look), None
        else:
            done, kept = _into_directory(found, typed, to, need, crew, look, stands)
    answer_restored(typed, found, done, to, kept=kept)
    return Exit.DONE if done.is_whole else Exit.FAILED


def _kept_before(context: Context, typed: Typed, found: Sought) -> StoodBefore:
    from agent.cli.history.kept_before import agree_to_lose, keep_before

    stands = keep_before(context, typed.dataset, found.moment.sentence(), typed.node, quiet=typed.as_json)
    agree_to_lose(context, stands, typed.dataset, yes=typed.yes)
    return stands


def _need(found: Sought, *, whole_file: bool) -> NeededRoom:
    """What is made, holes taken for data. ``whole_file``: one that goes to a path of its own, changed or not."""
    from agent.generations.restore.room import NeededRoom, needed

    commit = found.reader.catalog.commit_at(found.moment.number)
    if found.since is not None and not whole_file:
        return needed(found.reader, found.parts, found.since.number, exactly=False)
    if found.parts.is_whole and commit is not None:
        return NeededRoom(commit.entries, commit.bytes, commit.bytes + 4096 * commit.entries)
    return needed(found.reader, found.parts, exactly=False)


def _refuse_small_in_place(found: Sought, to: str, need: NeededRoom) -> None:
    from agent.generations.restore.gates import refuse_small_in_place
    from agent.generations.restore.room import still_needed

    since = found.since.number if found.since is not None else None
    refuse_small_in_place(to, need, lambda: still_needed(found.reader, found.parts, to, since))


def _into_file(
    found: Sought, file: tuple[bytes, ObjectRow], to: str, need: NeededRoom, look: Callable[[Done], None]
) -> Done:
    from agent.generations.restore.gates import refuse_small_for_file
    from agent.generations.restore.one_file import file_aside, restore_file
    from agent.generations.restore.room import needed

    aside = file_aside(to)
    refuse_small_for_file(to, aside, need, lambda: needed(found.reader, found.parts, exactly=True))
    try:
        return restore_file(found.reader, *file, to, look)
    finally:
        if os.path.lexists(aside):
            remark(f"  what there is of it stays in {shown(aside)}")


def _into_directory(
    found: Sought,
    typed: Typed,
    to: str,
    need: NeededRoom,
    crew: Crew,
    look: Callable[[Done], None],
    stands: StoodBefore | None,
) -> tuple[Done, KeptInPlace | None]:
    """What was done, and what keeps what stood; None where nothing did."""
    from agent.apply.ports import nothing_left_out
    from agent.capture.exclude import Rules
    from agent.cli.history.kept_before import kept_of, remark_target
    from agent.config.own_places import left_out_by_rule
    from agent.generations.restore.gates import refuse_small
    from agent.generations.restore.restoring import Restoration, restore_into
    from agent.generations.restore.room import needed
    from agent.generations.restore.target import Order, open_target

    dataset = found.dataset
    rules = Rules(dataset.exclude, dataset.include, left_out_by_rule(dataset, found.settings))
    left_out = rules.excluded if rules and typed.in_place else nothing_left_out
    since = found.since.number if found.since is not None else None
    parts = (*(os.fsdecode(path) for path in found.parts.paths), *((f"changed since {since}",) if since else ()))
    order = Order(dataset.name, found.digest, parts)
    if not typed.in_place:
        refuse_small(to, need, lambda: needed(found.reader, found.parts, since, exactly=True))
    target = open_target(to, order, in_place=typed.in_place, stands=stands)
    kept = kept_of(target, stands)
    try:
        remark_target(target, kept)
        restoration = Restoration(found.reader, found.words, found.parts, left_out, look, since)
        return restore_into(target, restoration, crew, secrets.token_hex(4)), kept
    except KeyboardInterrupt:
        remark(f"  cut off: what is in {shown(to)} stays as far as it came; the same command goes on where it was")
        if kept is not None:
            remark(f"  {kept.first.sentence}")
        raise
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


def _refuse_running_system(found: Sought) -> None:
    """Parts of it may be brought back in their place, not the system that this runs on as a whole."""
    from agent.config.own_places import holds_state

    path = found.dataset.path
    if found.parts.is_whole and holds_state(path, found.settings.node.state_dir):
        reason = f"{path} holds the agent's own state: it would be written over while the system runs from it"
        remedy = "name the PATHs that are wanted; all of it goes to a mounted disk (docs/bare-metal.md)"
        raise Refused("restore in place", found.dataset.name, reason, remedy)


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
        took = time.monotonic() - began
        share = done.verified / need.size if need.size else done.entries / max(need.entries, 1)
        value: Json = {"phase": "restore", "done_bytes": done.verified, "total_bytes": need.size}
        value |= {"done_entries": done.entries, "total_entries": need.entries}
        value["eta_seconds"] = took / share - took if share > 0.01 else None
        progress(value)

    return look
