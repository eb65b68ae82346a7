"""``generations verify``: are the chunks of generations there, and what they should be?"""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, progress_shown, say
from agent.core.errors import Exit
from agent.operations.declaration import Json
from agent.operations.upkeep.checking import GenerationsVerifyRequest
from agent.status.figures import size_text

_SHOWN = 20


@click.command("verify")
@click.argument("dataset")
@click.argument("generation", default="")
@json_option
@click.pass_obj
def verify_generations(context: Context, dataset: str, generation: str, as_json: bool) -> int:
    """Read every chunk of a generation, or of all that can be brought back.

    What is damaged is named with the files and generations that it hurts, and put back from the standby or the primary where
    these still have it. Exit code 1 when anything is left that could not be put back."""
    with progress_shown(f"reading the generations of {dataset}", not as_json) as progress:
        result = context.controls().ask(GenerationsVerifyRequest(dataset, generation), progress)
    if as_json:
        answer_json(result)
    else:
        _say(dataset, generation, result)
    return Exit.DONE if all(one["mended"] for one in result["damaged"]) else Exit.FAILED


def _say(dataset: str, generation: str, result: Json) -> None:
    what = f"generation {generation}" if generation else "all that can be brought back"
    damaged = result["damaged"]
    read = f"{size_text(result['checked_bytes'])} read"
    if not damaged:
        say(f"{dataset}: every chunk of {what} is as it should be ({read})")
        return
    count = "1 chunk is" if len(damaged) == 1 else f"{len(damaged):,} chunks are"
    say(f"{dataset}: {count} damaged in {what} ({read})")
    for one in damaged[:_SHOWN]:
        state = "put back" if one["mended"] else "lost: neither the standby nor the primary has it"
        say(f"  {one['chunk'][:16]}: {one['reason']}; {state}")
        say(f"    files: {', '.join(one['paths'][:5]) or 'none that is named now'}{_more(one['paths'], 5)}")
        say(
            f"    generations: {', '.join(one['generations'][:5]) or 'none, only history'}{_more(one['generations'], 5)}"
        )
    if len(damaged) > _SHOWN:
        say(f"  and {len(damaged) - _SHOWN:,} more: --json lists all")


def _more(found: list[str], told: int) -> str:
    return f" and {len(found) - told:,} more" if len(found) > told else ""
