"""``find``: what stood where, and when, and how it is brought back."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, remark, say
from agent.core.errors import Exit
from agent.operations.comparing import FindRequest
from agent.operations.declaration import Json
from agent.status.figures import count_text, size_text, stamp_ns

#: Versions of one path that are said; --json has more.
_VERSIONS_SHOWN = 20


@click.command()
@click.argument("dataset")
@click.argument("pattern", metavar="GLOB|PATH")
@click.option("--since", metavar="T", default="", help="Only what stood at this moment or later.")
@click.option("--until", metavar="T", default="", help="Only what stood at this moment or before.")
@json_option
@click.pass_obj
def find(context: Context, dataset: str, pattern: str, since: str, until: str, as_json: bool) -> int:
    """Find files in every moment that can be brought back.

    A word without a slash is a name anywhere (a.txt, "*.conf"); with one it is a path from the root of the dataset (etc/app.conf,
    "etc/**/*.conf"). Without wildcards each version is shown, with the command that brings it back. T is a local time, a
    generation, or the label of a mark. Exit code 4 when nothing was found."""
    found = context.controls().ask(FindRequest(dataset, pattern, since, until), _SaidSpans())
    paths = [one for one in found if "path" in one]
    is_cut = len(paths) < len(found)
    if as_json:
        answer_json(paths)
    else:
        for one in paths:
            _say_path(one)
    if is_cut:
        remark(
            f"  and more: these are the first {len(paths):,}; a narrower pattern, or --since and --until, shows the others"
        )
    if not paths:
        remark(f"{dataset}: no moment that can be brought back has {pattern}")
    return Exit.DONE if paths else Exit.NOT_FOUND


class _SaidSpans:
    """Says what is looked through, before anything is found in it: once of each node that looks."""

    def __init__(self) -> None:
        self._nodes = set[str]()

    def __call__(self, told: Json) -> None:
        """A word of progress."""
        through = told.get("through")
        if through is not None and through["node"] not in self._nodes:
            self._nodes.add(through["node"])
            remark(_span(through))


def _span(through: Json) -> str:
    node = through["node"]
    if through["first"] is None:
        return f"{node} has no moment of that span"
    every = f"every moment since {_local(through['every_since'])}" if through["every_since"] else ""
    before = count_text(through["generations"], "generation") if through["generations"] else ""
    what = f"{every}, and {before} before that" if every and before else every or before or "what is kept of it"
    return f"looking on {node} from {_local(through['first'])} to {_local(through['last'])}: {what}"


def _say_path(one: Json) -> None:
    slash = "/" if one["kind"] == "directory" else ""
    size = f"  {size_text(one['bytes'])}" if one["kind"] == "file" else ""
    count = f"{one['versions']:,} versions" if one["versions"] > 1 else "1 version"
    ending = "stands now" if one["deleted"] is None else f"last {_local(one['last'])}, gone {_local(one['deleted'])}"
    say(f"{one['path']}{slash}{size}")
    say(f"  {count}, first {_local(one['first'])}, {ending}")
    versions = one.get("history") or []
    for version in reversed(versions[-_VERSIONS_SHOWN:]):
        _say_version(version)
    if len(versions) > _VERSIONS_SHOWN:
        remark(
            f"  and {one['versions'] - _VERSIONS_SHOWN:,} earlier versions: --json lists them, --since and --until narrow"
        )


def _say_version(version: Json) -> None:
    what = size_text(version["bytes"]) if version["kind"] == "file" else version["kind"]
    differs = [one for one in version.get("differs") or () if one not in ("content", "mtime")]
    also = f" ({', '.join(differs)})" if differs else ""
    say(f"  {_local(version['first'])}  {what}, modified {_local(version['mtime'])}{also}")
    say(f"    {version['command']}" if version["command"] else "    no moment names it alone: hikae mount shows it")


def _local(text: str | None) -> str:
    """A stamp on the clocks here: ``2026-11-22 02:13:05``."""
    if text is None:
        return "never"
    seconds = stamp_ns(text) // 1_000_000_000
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
