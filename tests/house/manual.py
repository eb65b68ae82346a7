"""The manual pages, made from the help of the commands: one for each command, ``docs/man/hikae-NAME.1``."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

import click
from click_man.man import ManPage

from agent import __version__
from agent.cli.main import COMMANDS, cli
from agent.core.errors import Exit

_WHERE = "docs/man"
#: A page says which release it belongs to; a day would make it another one each day.
_DATE = ""
_EXITS = {
    Exit.DONE: "Done.",
    Exit.FAILED: "Failed, or what was compared differs.",
    Exit.USAGE: "The command was called wrongly (3 for check).",
    Exit.REFUSED: "Refused: something that must be so is not; it is printed.",
    Exit.NOT_FOUND: "There is no such dataset, node or path.",
    Exit.UNREACHABLE: "The agent, or a peer, is not reachable.",
    Exit.TRY_AGAIN: "Not now: try again, or give it more time.",
    Exit.NOT_PERMITTED: "Not permitted for this user.",
    Exit.CONFIG: "The configuration is wrong; every mistake is printed.",
}
_FILES = {
    "/etc/hikae/agent.toml": "The configuration; beside it datasets.d/*.toml.",
    "/var/lib/hikae": "What the node knows and keeps.",
    "/run/hikae/admin.sock": "Where commands ask the agent.",
    "/run/hikae/state.json": "What anybody may read of the state; state-full.json for root and the group hikae.",
}


def manual() -> dict[str, str]:
    """Every page by its path."""
    top = click.Context(cli, info_name="hikae")
    return dict(_pages(top))


def _pages(ctx: click.Context) -> Iterator[tuple[str, str]]:
    yield f"{_WHERE}/{ctx.command_path.replace(' ', '-')}.1", _page(ctx)
    if isinstance(ctx.command, click.Group):
        for name, command in _below(ctx):
            yield from _pages(click.Context(command, info_name=name, parent=ctx))


def _below(ctx: click.Context) -> list[tuple[str, click.Command]]:
    group = ctx.command
    assert isinstance(group, click.Group)
    named = ((name, group.get_command(ctx, name)) for name in group.list_commands(ctx))
    return [(name, command) for name, command in named if command is not None]


def _page(ctx: click.Context) -> str:
    command = ctx.command
    page = ManPage(ctx.command_path)
    page.version, page.date = f"hikae {__version__}", _DATE
    page.short_help = command.get_short_help_str(200).rstrip(".")
    page.synopsis = " ".join(command.collect_usage_pieces(ctx))
    page.description = cleandoc(command.help or "")
    records = (one.get_help_record(ctx) for one in command.get_params(ctx) if isinstance(one, click.Option))
    page.options = [record for record in records if record is not None]
    if isinstance(command, click.Group):
        page.commands = [(name, one.get_short_help_str(200)) for name, one in _below(ctx)]
    return f"{page}{_at_the_end(ctx)}"


def _at_the_end(ctx: click.Context) -> str:
    """Only on the first page: the exit codes, the files, and how a shell completes; every other one names the first."""
    if ctx.parent is not None:
        return ".SH SEE ALSO\n\\fBhikae\\fP(1), where the exit codes and files are\n"
    codes = "".join(f".TP\n\\fB{int(code)}\\fP\n{words}\n" for code, words in _EXITS.items())
    files = "".join(f".TP\n\\fI{path}\\fP\n{words}\n" for path, words in _FILES.items())
    assert len(COMMANDS) > 1
    shells = ctx.command.epilog or ""
    # The mark by which click leaves the lines as they are.
    words = shells.removeprefix("\b\n").replace("\\", "\\\\")
    return f".SH EXIT STATUS\n{codes}.SH FILES\n{files}.SH SHELL COMPLETION\n.nf\n{words}\n.fi\n"
