"""``rehearse``: would the standby serve?"""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import commit_text, json_option, progress_shown, remark, say
from agent.cli.role_changes.chosen import Chosen, chosen_options, each_of
from agent.core.errors import Exit
from agent.operations.declaration import Json
from agent.operations.role_changes.rehearsing import RehearseRequest
from agent.status.figures import span_text
from agent.status.text import shown


@click.command()
@chosen_options
@click.option("--dry-run", is_flag=True, help="Only say what stands in the way.")
@json_option
@click.pass_obj
def rehearse(context: Context, which: Chosen, dry_run: bool, as_json: bool) -> int:
    """Run the probe on a view of the standby.

    Typed on the node that keeps the standby. What comes is received meanwhile and applied afterwards. The probe, of which
    [dataset.hooks] probe names the program, sees the standby at its own path, may write there, and reaches nothing else: no
    network, no socket, no service of this machine. What it wrote is thrown away. Exit code 1 where it is not content.

    Of a device it sees a block device there (HIKAE_PATH), and where a filesystem is on it, as a promotion would find it, its
    files (HIKAE_MOUNT, those of a partition in HIKAE_MOUNT/NUMBER); both take writes, which are gone with the view."""
    failed = Exit.DONE

    def one(name: str) -> Json:
        nonlocal failed
        with progress_shown(f"rehearsing {name}", not as_json) as progress:
            result = context.controls().ask(RehearseRequest(name, dry_run=dry_run), progress)
        if not dry_run and not result["ok"]:
            failed = Exit.FAILED
        if not as_json:
            (_say_gates if dry_run else _say_result)(name, result)
        return result

    names = which.names(context, "rehearse")
    return max(each_of(names, one, one=which.is_one, as_json=as_json), failed)


def _say_gates(dataset: str, result: Json) -> None:
    lacking = [gate for gate in result["gates"] if not gate["ok"]]
    for gate in lacking:
        remark(f"{dataset}: {gate['name']}: {shown(gate['value'])}; {shown(gate['remedy'])}")
    if not lacking:
        say(f"{dataset}: nothing stands in the way of a rehearsal")


def _say_result(dataset: str, result: Json) -> None:
    for line in result["output"].splitlines():
        say(f"  | {shown(line)}")
    took = span_text(result["rto_ms"] / 1000)
    if result["ok"]:
        say(f"{dataset}: it would serve: the probe was content with commit {commit_text(result)} after {took}")
        return
    remark(f"{dataset}: it would not serve: {shown(result['reason'])} (commit {commit_text(result)}, after {took})")
