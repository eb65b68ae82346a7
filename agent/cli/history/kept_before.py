"""What stands is kept as a generation before it is written over in place, where somebody can keep it."""

from __future__ import annotations

import time

from agent.cli.context import Context
from agent.cli.output import progress_shown, remark
from agent.core.errors import HikaeError, TryAgain
from agent.operations.declaration import Controls, Json
from agent.operations.role_changes.rolling_back import GenerationsBeforeRequest
from agent.operations.waiting import WaitRequest

#: Seconds within which what stands has to be durable on the standbys, and within which one takes another generation.
_ARRIVAL, _TAKES_ANOTHER = 30.0, 15.0


def keep_before(context: Context, dataset: str, moment: str, *, quiet: bool) -> str:
    """The name of a generation that keeps what stands, on entry not yet written over; "" where none could be taken, which is said
    with the reason: a restore goes on without an agent and without a standby. ``moment``: what it is to become, for people."""
    try:
        controls = context.controls()
        with progress_shown(f"keeping what stands in {dataset}", not quiet) as progress:
            controls.ask(WaitRequest(dataset, "durable", _ARRIVAL), progress)
            answer = _taken(
                context, controls, GenerationsBeforeRequest(dataset, f"before a restore in place of {moment}")
            )
    except HikaeError as error:
        remark(f"  no generation keeps what stands now: {error.reason}")
        return ""
    return str(answer["generation"])


def _taken(context: Context, controls: Controls, asked: GenerationsBeforeRequest) -> Json:
    """Asked for again while one was taken there a moment ago. Raises ``HikaeError``."""
    until = time.monotonic() + _TAKES_ANOTHER
    for _ in context.ticks(1.0):
        try:
            return controls.ask(asked)
        except TryAgain:
            if time.monotonic() >= until:
                raise
    raise TryAgain("keep what stands", asked.dataset, "it was not waited for")
