"""``status`` and ``events``: how it is and what happened."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from agent.cli.context import Context
from agent.cli.output import Duration, answer_json, json_option, remark, say
from agent.core.errors import HikaeError, NotFound, TryAgain, Unreachable
from agent.operations.declaration import Controls, Json
from agent.operations.reading import EventsRequest, StatusRequest
from agent.status.events import KEPT
from agent.status.text import shown

if TYPE_CHECKING:
    from rich.text import Text

#: Without any choice so many events are shown.
_SHOWN = 100


@click.command()
@click.argument("dataset", required=False)
@click.option("--watch", is_flag=True, help="Show it again every second until interrupted; on a terminal in place.")
@json_option
@click.pass_obj
def status(context: Context, dataset: str | None, watch: bool, as_json: bool) -> None:
    """How every dataset is, worst first; of one DATASET, all that is known.

    Below each dataset that needs it stands what is so, and what to type on which node. RECEIVED and APPLIED: all that was
    written before that moment is safe there, and is in the tree there; "!" marks what is not up to date."""
    controls = context.controls()
    if not watch:
        _show(_asked(controls, dataset), dataset, as_json)
    elif as_json or not sys.stdout.isatty():
        for _ in context.ticks(1.0):
            _show(_asked(controls, dataset), dataset, as_json)
    else:
        _watch(context, controls, dataset)


@click.command()
@click.argument("dataset", required=False)
@click.option("--since", type=Duration(asks_unit=True), metavar="DURATION", help="Only of the last 2h, 30m, …")
@click.option("--limit", type=click.IntRange(1, KEPT), help="At most so many; 100, or with --since all of that time.")
@click.option("--follow", is_flag=True, help="Go on with what happens next, until interrupted.")
@json_option
@click.pass_obj
def events(
    context: Context, dataset: str | None, since: float | None, limit: int | None, follow: bool, as_json: bool
) -> None:
    """What happened, also who typed what; of one DATASET, or of all.

    Newest last: time, dataset, code, message. With --follow, --json gives one object a line."""
    controls = context.controls()
    rows, left_out = _chosen(controls, dataset, since, limit)
    if dataset is not None and not rows:
        _require_heard_of(controls, dataset)
    if left_out:
        remark(left_out)
    if not follow:
        if as_json:
            answer_json(rows)
        else:
            _say_events(rows)
        return
    newest = 0
    for _ in context.ticks(0.5):
        newest = max([newest, *(row["id"] for row in rows)])
        for row in rows:
            if as_json:
                answer_json(row)
        if not as_json:
            _say_events(rows)
        rows = _of(dataset, controls.ask(EventsRequest(newest, limit or KEPT)))


def _require_heard_of(controls: Controls, dataset: str) -> None:
    """Raises ``NotFound`` where there is no dataset of that name, and nothing that is kept tells of one that was."""
    if not _of(dataset, controls.ask(EventsRequest(limit=KEPT))):
        _asked(controls, dataset, "events")


def _asked(controls: Controls, dataset: str | None, operation: str = "status") -> Json:
    """The published value; with a name, of that dataset alone. ``NotFound`` where there is none of that name."""
    value = controls.ask(StatusRequest())
    if dataset is None:
        return value
    chosen = [one for one in value["datasets"] if one["name"] == dataset]
    if not chosen:
        known = ", ".join(one["name"] for one in value["datasets"]) or "none"
        raise NotFound(operation, dataset, "there is no such dataset here", f"this node knows: {known}")
    return {**value, "datasets": chosen}


def _show(value: Json, dataset: str | None, as_json: bool) -> None:
    if as_json:
        answer_json(value)
        return
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_page(value, dataset, console.width), soft_wrap=True)


def _page(value: Json, dataset: str | None, width: int) -> Text:
    from agent.status.page import dataset_page, status_page
    from agent.status.reading import understood

    def render(value: Json) -> Text:
        return status_page(value, width) if dataset is None else dataset_page(value, value["datasets"][0], width)

    return understood(render, value, "the admin socket")


def _watch(context: Context, controls: Controls, dataset: str | None) -> None:
    """Until somebody interrupts it: an agent that does not answer, or answers otherwise than before, is told in the page's place.
    What was typed wrongly shows at the first look."""
    from rich.live import Live
    from rich.text import Text

    from agent.status.page.layout import cut_page, wrapped

    seen = False
    with Live(auto_refresh=False, screen=False) as live:
        for _ in context.ticks(1.0):
            width, height = live.console.size
            try:
                page = _page(_asked(controls, dataset), dataset, width)
                seen = True
            except HikaeError as error:
                if not (seen or isinstance(error, Unreachable | TryAgain)):
                    raise
                page = Text("\n").join(Text(line, "bold red") for line in wrapped(shown(str(error)), width, ""))
            live.update(cut_page(page, width, height, f"hikae status{f' {dataset}' if dataset else ''}"), refresh=True)


def _of(dataset: str | None, rows: list[Json]) -> list[Json]:
    return rows if dataset is None else [row for row in rows if row["dataset"] == dataset]


def _chosen(controls: Controls, dataset: str | None, since: float | None, limit: int | None) -> tuple[list[Json], str]:
    """What to show, and what of it was left out, in words."""
    most = limit or (_SHOWN if since is None else KEPT)
    if since is None:
        asked = most + 1 if dataset is None else KEPT
        rows = _of(dataset, controls.ask(EventsRequest(limit=min(asked, KEPT))))
        more = f"only the newest {most:,} are shown: --limit N or --since 24h shows more" if limit is None else ""
        return rows[-most:], more if len(rows) > most else ""
    kept = controls.ask(EventsRequest(limit=KEPT))
    earliest = datetime.now().astimezone().timestamp() - since
    rows = _of(dataset, [row for row in kept if _moment(row) >= earliest])
    if len(rows) > most:
        return rows[-most:], f"{len(rows) - most:,} earlier ones of that time are left out: raise --limit"
    if kept and kept[0]["id"] > 1 and _moment(kept[0]) >= earliest:
        oldest = datetime.fromisoformat(kept[0]["time"]).astimezone()
        return rows, f"what happened before {oldest:%Y-%m-%d %H:%M:%S} is not kept"
    return rows, ""


def _moment(row: Json) -> float:
    return datetime.fromisoformat(row["time"]).timestamp()


def _say_events(rows: list[Json]) -> None:
    for row in rows:
        moment = datetime.fromisoformat(row["time"]).astimezone()
        say(f"{moment:%Y-%m-%d %H:%M:%S}  {row['dataset'] or '-'}  {row['code']}  {row['message']}")
    if not rows:
        remark("nothing happened")
