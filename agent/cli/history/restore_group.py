"""``restore --group``: a directory or an image for each dataset of a group, all of one moment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from agent.cli.context import Context
from agent.cli.group_generations import datasets_in
from agent.cli.history.group_moment import moment_asked, moment_here
from agent.cli.history.restore_sources import Typed
from agent.cli.output import remark
from agent.cli.role_changes.chosen import each_of
from agent.config import load
from agent.core.errors import Exit, HikaeError, UsageError
from agent.operations.declaration import Json


def restore_group(context: Context, group: str, typed: Typed, restore: Callable[[Context, Typed], int]) -> int:
    """Bring all of them back, one after the other; the worst exit code. What fails for one is said, and the others go on."""
    _refuse_parts(group, typed)
    settings = load(context.config_path)
    if typed.node and typed.node != settings.node.name:
        names = datasets_in(context, group)
        moment = moment_asked(context, group, names, typed.generation, typed.at, typed.node)
    else:
        moment = moment_here(settings, group, typed.generation, typed.at)
    remark(moment.sentence(group))
    _prepare(typed)
    codes: list[int] = []

    def one(name: str) -> Json | None:
        to, answers = os.path.join(typed.to, name), list[Json]()
        what = replace(typed, dataset=name, generation=moment.parts[name], at="", to=to, answers=answers)
        codes.append(restore(context, what))
        return answers[0] if answers else None

    failed = each_of(list(moment.parts), one, one=False, as_json=typed.as_json)
    return max([failed, *codes], default=int(Exit.DONE))


def _refuse_parts(group: str, typed: Typed) -> None:
    """A moment of a group comes back whole. Raises ``UsageError``."""
    if typed.in_place:
        remedy = "give --to; or roll each dataset back: hikae rollback DATASET --generation G"
        raise UsageError("restore", group, "--in-place is for one dataset", remedy)
    if typed.changed_since or typed.paths:
        raise UsageError("restore", group, "PATH and --changed-since are for one dataset", "name one dataset")


def _prepare(typed: Typed) -> None:
    """The directory that has one place for each dataset. Raises ``HikaeError``."""
    if typed.dry_run:
        return
    try:
        os.makedirs(typed.to, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HikaeError("restore", typed.to, reason, "name a directory that can be made") from error
