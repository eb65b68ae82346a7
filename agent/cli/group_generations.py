"""What is typed about generations of a group: one of each of its datasets, all of one moment."""

from __future__ import annotations

from dataclasses import dataclass

from agent.cli.context import Context
from agent.cli.output import answer_json, commit_text, progress_shown, remark, say
from agent.core.errors import NotFound, UsageError
from agent.operations.grouped.taking import GenerationsTakeGroupRequest
from agent.operations.reading import StatusRequest


@dataclass(frozen=True, slots=True)
class TakenSo:
    """How generations are taken: as the options of ``generations take`` say."""

    label: str
    pin: bool
    offline: bool


def datasets_in(context: Context, group: str) -> list[str]:
    """The datasets of a group on this node, in the order of the configuration. Raises ``NotFound`` for a group without any."""
    datasets = context.controls().ask(StatusRequest())["datasets"]
    names = [one["name"] for one in datasets if group and one["group"] == group]
    if not names:
        groups = ", ".join(sorted({one["group"] for one in datasets if one["group"]})) or "none"
        raise NotFound("find the group", group, f"this node knows: {groups}", "see hikae config show")
    return names


def take_group(context: Context, group: str, how: TakenSo, as_json: bool) -> None:
    """Take one of each dataset."""
    if how.offline:
        reason = "--offline stops the application of one dataset, and a group stands still by being frozen"
        raise UsageError("take a generation", group, reason, "leave --offline out, or name one dataset")
    first = datasets_in(context, group)[0]
    with progress_shown(f"taking generations of group {group}", not as_json) as progress:
        result = context.controls().ask(GenerationsTakeGroupRequest(first, group, how.label, how.pin), progress)
    if as_json:
        return answer_json(result["generations"])
    for one in result["generations"]:
        say(f"{one['dataset']}: generation {one['generation']}, commit {commit_text(one)}, {one['consistency']}")
        if one["note"]:
            remark(f"  {one['note']}")
    stood = max(one["stood_still_ms"] for one in result["generations"])
    say(f"group {group}: all of one moment, for which nobody could write for {stood:,.0f} ms")
    return None
