"""``serve`` and ``fence``: whether this node serves as the primary, by an operator's word."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, say
from agent.cli.role_changes.chosen import Chosen, Said, chosen_options, confirm, each_of, said_options
from agent.core.errors import UsageError
from agent.operations.declaration import Json
from agent.operations.role_changes.serving import FenceRequest, ServeRequest


@click.command()
@click.argument("dataset")
@click.option("--alone", is_flag=True, help="Required, since it says what is taken on: peers may be silent.")
@click.option("--force", is_flag=True, help="Although another node answers that it is the primary: that one is fenced.")
@said_options(dry_run="Only say what is in the way, and who is silent.")
@click.pass_obj
def serve(context: Context, dataset: str, alone: bool, force: bool, said: Said) -> None:
    """Let this node serve as the primary although not every peer has confirmed it.

    A primary that was started waits until its peers have said that no other node was made primary meanwhile. If they cannot be
    reached, only a person can know that. After a fencing this node goes on in a higher epoch, from what stands here. The start
    hook runs."""
    if not alone:
        reason_for = "that it serves without its peers has to be said"
        raise UsageError("serve", dataset, reason_for, f"hikae serve {dataset} --alone")
    request = ServeRequest(dataset, alone, force, said.reason, said.approved_by)
    if said.dry_run or not said.yes:
        plan = context.controls().ask(ServeRequest(dataset, alone, force, dry_run=True))
        if said.dry_run:
            _answer(plan, said.as_json, _would_serve(plan))
            return
        confirm(context, "serve", dataset, "two nodes may end up serving", _question(plan))
    done = context.controls().ask(request)
    _answer(done, said.as_json, f"{dataset}: this node serves as the primary")


@click.command()
@chosen_options
@said_options(dry_run="Only say whether it serves now.")
@click.pass_obj
def fence(context: Context, which: Chosen, said: Said) -> int:
    """Have this primary stop serving and sending.

    It is durable, and the on_fenced hook runs. What leads back is hikae serve DATASET --alone, or, once another node was made
    primary, hikae rejoin DATASET."""
    names = which.names(context, "fence")

    def one(name: str) -> Json:
        if not said.yes and not said.dry_run:
            confirm(context, "fence", name, "it stops what serves", f"Stop serving {name} on this node?")
        done = context.controls().ask(FenceRequest(name, said.reason, said.approved_by, said.dry_run))
        if not said.as_json:
            say(f"{name}: it is {done['was']} here" if said.dry_run else f"{name}: this node serves it no more")
        return done

    return each_of(names, one, one=which.is_one, as_json=said.as_json)


def _answer(answer: Json, as_json: bool, words: str) -> None:
    if as_json:
        answer_json(answer)
    else:
        say(words)


def _would_serve(plan: Json) -> str:
    silent = f"; not confirmed by {', '.join(plan['silent'])}" if plan["silent"] else ""
    return f"{plan['dataset']}: it is {plan['was']} here{silent}"


def _question(plan: Json) -> str:
    who = ", ".join(plan["silent"])
    sure = f"{who} cannot be asked whether another node was made primary. " if who else ""
    return f"{sure}Let this node serve {plan['dataset']}?"
