"""``restore`` of a device: to an image file, or to a block device."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from agent.cli.context import Context
from agent.cli.history.restore_answer import answer_dry, answer_restored
from agent.cli.output import progress_shown, remark
from agent.core.errors import Exit, NotFound, Refused, UsageError
from agent.generations.devices.gates import refuse_full_place, refuse_image_place
from agent.generations.devices.image import DeviceImage
from agent.generations.devices.restoring import ImageRestoration, restore_image
from agent.generations.devices.target import ImageTarget, open_image_target, standing_target
from agent.generations.restore.gates import is_on_the_vaults_disk
from agent.generations.restore.results import Done
from agent.generations.restore.room import NeededRoom
from agent.operations.declaration import Json, Progress
from agent.status.figures import size_text
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.cli.history.restore_sources import Sought, Typed


def restore_device(context: Context, typed: Typed, seek: Callable[[str, Typed], AbstractContextManager[Sought]]) -> int:
    """Do what was typed of a device; the exit code."""
    _refuse_parts(typed)
    with seek(context.config_path, typed) as found:
        remark(f"{typed.dataset}: {found.moment.sentence()}")
        return _restored(context, typed, found)


def _refuse_parts(typed: Typed) -> None:
    """A device comes back whole. Raises ``UsageError``, ``Refused``."""
    name = typed.dataset
    if typed.paths:
        reason = "it is a device, which has no paths"
        raise UsageError("restore", name, reason, f"leave {typed.paths[0]} out; hikae mount {name} DIR shows its files")
    if typed.changed_since:
        reason = "--changed-since is for trees"
        raise UsageError("restore", name, reason, "leave it out: of a device only what differs is written anyhow")
    if typed.in_place:
        remedy = f"hikae rollback {name} --at MOMENT, or --generation G, which keeps what stands there now"
        raise Refused("restore in place", name, "a device is brought back in its place by a rollback", remedy)


def _restored(context: Context, typed: Typed, found: Sought) -> int:
    image = DeviceImage(found.reader.catalog, found.reader.chunk, found.moment.number)
    if not image.size:
        remedy = f"hikae generations list {typed.dataset} shows what there is"
        raise NotFound("restore", typed.dataset, "nothing of the device was known at that moment", remedy)
    commit = found.reader.catalog.commit_at(found.moment.number)
    held = commit.bytes if commit is not None else image.size
    to = os.path.abspath(typed.to)
    refuse_image_place(found.settings, to)
    refuse_full_place(to, held)
    if found.vault and not standing_target(to) and is_on_the_vaults_disk(found.vault, to):
        remark(f"  {shown(to)} is on the disk of the vault: who loses that disk loses both")
    if typed.dry_run:
        need = NeededRoom(commit.entries if commit is not None else 0, held, held)
        answer_dry(typed, found, need, to, image.size)
        return Exit.DONE
    target = open_image_target(to, image.size)
    try:
        _confirm(context, typed, to, image.size)
        done = _into(found, typed, target, image)
    finally:
        target.close()
    answer_restored(typed, found, done, to, image.size)
    return Exit.DONE if done.is_whole else Exit.FAILED


def _into(found: Sought, typed: Typed, target: ImageTarget, image: DeviceImage) -> Done:
    try:
        with progress_shown(f"restoring {typed.dataset}", not typed.as_json) as progress:
            return restore_image(target, ImageRestoration(image, found.read_many, _telling(progress, image.size)))
    except BaseException:
        remark(
            f"  what there is of it stays in {shown(target.aside or target.path)}; the same command goes on where it was"
        )
        raise


def _confirm(context: Context, typed: Typed, to: str, size: int) -> None:
    what = standing_target(to)
    if typed.yes or not what:
        return
    if not context.person.can_be_asked():
        reason = f"it overwrites {what} {to} and nobody can be asked here"
        raise Refused("restore", typed.dataset, reason, "add --yes if it is meant")
    text = f"Overwrite {what} {to} with {size_text(size)} of {typed.dataset}? What it holds now is lost."
    if not context.person.agrees(shown(text)):
        raise Refused("restore", typed.dataset, "not confirmed", "nothing was changed")


def _telling(progress: Progress, size: int) -> Callable[[str, int], None]:
    """Tell how it goes, with an estimate of the phase by what was done of it so far."""
    began: dict[str, float] = {}

    def look(phase: str, done: int) -> None:
        took = time.monotonic() - began.setdefault(phase, time.monotonic())
        value: Json = {"phase": phase, "done_bytes": done, "total_bytes": size}
        value["eta_seconds"] = took / done * (size - done) if took and done else None
        progress(value)

    return look
