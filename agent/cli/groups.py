"""Groups of commands that name what may have been meant."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import NoReturn

import click

from agent.status.text import shown

#: Of so many commands all are named.
_FEW = 6


class Group(click.Group):
    """A command with others below it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the commands that may have been meant."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            no_such_command(ctx, args[0], known)
        return super().resolve_command(ctx, args)


def no_such_command(ctx: click.Context, word: str, known: Collection[str]) -> NoReturn:
    """Fails with what there is instead of ``word``: what is like it; else all of a few; else where they are listed."""
    near = get_close_matches(word, known, n=2)
    if near:
        instead = f"Did you mean {' or '.join(near)}?"
    elif len(known) <= _FEW:
        instead = f"There {'is' if len(known) == 1 else 'are'}: {', '.join(known)}."
    else:
        instead = f"{ctx.command_path} --help lists them."
    ctx.fail(f"There is no command {shown(word)!r}. {instead}")
