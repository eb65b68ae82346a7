"""``generations diff``: what lies between two moments."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, remark, say
from agent.core.errors import Exit
from agent.operations.comparing import DiffRequest
from agent.operations.declaration import Json
from agent.status.figures import size_text

#: Entries in one JSON answer, which is made whole.
_MOST = 100_000
_SIGNS = {"added": "+", "changed": "~", "moved": ">", "deleted": "-"}


@click.command()
@click.argument("dataset")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B", default="now")
@click.option(
    "--files", is_flag=True, help="Of a device: which files differ, on what can be mounted (root, where its vault is)."
)
@json_option
@click.pass_obj
def diff(context: Context, dataset: str, old: str, new: str, files: bool, as_json: bool) -> int:
    """What was added, changed, moved and deleted between two moments.

    A and B are generations (a name or as much of it as only one has, a label, latest, latest~2), local times
    ("2026-11-22 02:13"), labels of marks, or now, which B is by default. A directory that moved is one line, whatever is in it;
    one of which only the time differs is not told. At most 100,000 entries are given with --json, and 10,000 where another node
    keeps the history; "more" says how many there are beyond. Of a device its extents are told: + was zeros before, - is zeros
    now."""
    if files:
        return _of_files(context, dataset, old, new, as_json)
    gathered = _Gathered() if as_json else _Said()
    result = context.controls().ask(DiffRequest(dataset, old, new, stream=True), gathered.hear)
    gathered.say_moments(result["from_sentence"], result["to_sentence"])
    total = sum(result[what] for what in _SIGNS)
    gathered.take(result["entries"][gathered.heard :])
    if as_json:
        answer_json({**result, "entries": gathered.entries, "more": total - len(gathered.entries)})
        return Exit.DONE
    if gathered.heard < total:
        remark(f"  and {total - gathered.heard:,} more: the node that keeps the history shows all, typed there")
    counts = ", ".join(f"{result[what]:,} {what}" for what in _SIGNS if result[what])
    size = f", {size_text(result['changed_bytes'])} in these extents" if result.get("changed_bytes") else ""
    say(f"{dataset}: {counts or 'nothing differs'}{size}")
    return Exit.DONE


def _of_files(context: Context, dataset: str, old: str, new: str, as_json: bool) -> int:
    # Only now: SQLite and what reads a vault take a while to import.
    from agent.cli.history.diff_files import code_of, diff_files

    def tell(entry: Json) -> None:
        if not as_json:
            say(_line(entry))

    answer = diff_files(context.config_path, dataset, old, new, tell)
    if as_json:
        answer_json(answer)
    else:
        counts = ", ".join(f"{answer[what]:,} {what}" for what in _SIGNS if answer[what])
        say(f"{dataset}: {counts or 'no file differs'}")
    return code_of(answer)


class _Gathered:
    """The entries of one JSON answer. ``heard``: so many came, without a gap."""

    def __init__(self) -> None:
        self.entries: list[Json] = []
        self.heard = 0
        self._has_said = False

    def say_moments(self, old: str, new: str) -> None:
        """What is compared: once, before anything that comes of it."""
        if not self._has_said:
            self._has_said = True
            remark(f"from {old}")
            remark(f"to   {new}")

    def hear(self, told: Json) -> None:
        """What progress brings: what follows a gap is passed over, as it is not the first of all that is left."""
        if moments := told.get("moments"):
            self.say_moments(*moments)
        if told.get("entries") and told.get("first") == self.heard:
            self.take(told["entries"])

    def take(self, entries: list[Json]) -> None:
        """The next ones."""
        self.heard += len(entries)
        self.entries += entries[: max(0, _MOST - len(self.entries))]


class _Said(_Gathered):
    """The entries for people: said as they come."""

    def take(self, entries: list[Json]) -> None:
        self.heard += len(entries)
        for entry in entries:
            say(_line(entry))


def _line(entry: Json) -> str:
    """``~ etc/app.conf  1.2 KiB → 1.3 KiB  content, mtime``."""
    sign = _SIGNS.get(entry["what"], "?")
    mark = "/" if entry["kind"] == "directory" and entry["path"] != "." else ""
    came = f"{entry['from']}{mark} → " if entry.get("from") else ""
    return "  ".join(part for part in (f"{sign} {came}{entry['path']}{mark}", _sizes(entry), _words(entry)) if part)


def _sizes(entry: Json) -> str:
    if not {"file", "extent"} & {entry["kind"], entry.get("kind_before")}:
        return ""
    now, before = size_text(entry["bytes"]), size_text(entry["bytes_before"])
    if entry["what"] == "deleted":
        return before
    return f"{before} → {now}" if entry["what"] == "changed" and entry["bytes"] != entry["bytes_before"] else now


def _words(entry: Json) -> str:
    if entry["what"] not in ("changed", "moved"):
        return ""
    words = [what for what in entry["differs"] if what != "type"]
    if entry.get("kind_before"):
        words.insert(0, f"was a {entry['kind_before']}")
    names = f"{entry['names']:,} names" if entry.get("names") else ""
    # What was moved and changed too has a line of its own for that.
    return ", ".join(part for part in ([] if entry["what"] == "moved" else [*words, names]) if part)
