"""``roles``: what this node has been to a dataset, and who made it so."""

from __future__ import annotations

from datetime import datetime

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, commit_text, json_option, remark, say
from agent.operations.declaration import Json
from agent.operations.role_changes.telling import RolesRequest
from agent.status.figures import span_text
from agent.status.page.promotion import lost_paths


@click.command()
@click.argument("dataset")
@json_option
@click.pass_obj
def roles(context: Context, dataset: str, as_json: bool) -> None:
    """What this node has been to DATASET: each change, who made it, and how long its steps took.

    Oldest first. Each node keeps its own."""
    rows = context.controls().ask(RolesRequest(dataset))
    if as_json:
        answer_json(rows)
        return
    if not rows:
        remark(f"{dataset}: this node has had no role yet")
    for row in rows:
        for line in _lines(row):
            say(line)


def _lines(row: Json) -> list[str]:
    moment = datetime.fromisoformat(row["time"]).astimezone()
    commit = f", commit {commit_text(row)}" if row["commit"] else ""
    change = f"{row['from']} → {row['to']}" if row["from"] else row["to"]
    made = [f"{moment:%Y-%m-%d %H:%M:%S}  {row['kind']}: {change}, epoch {row['epoch']}{commit}"]
    made += [f"    by {row['by']}"] if row["by"] else []
    made += [f"    reason: {row['reason']}"] if row["reason"] else []
    made += [f"    approved by {row['approved_by']}"] if row["approved_by"] else []
    made += [f"    it failed: {row['failed']}"] if row["failed"] else []
    made += [f"    lost: {path}" for path in lost_paths(row)]
    steps = ", ".join(f"{one['name']} {span_text(one['ms'] / 1000)}" for one in row["steps"])
    return made + ([f"    steps: {steps}"] if steps else [])
