"""What a connected peer says of itself, and which waiting it ends."""

from __future__ import annotations

import pytest

from agent.core.hold import Hold
from agent.core.standing import Pause, Standing, Trouble
from agent.operations.obstacles import of_standing
from agent.operations.patience import Obstacle
from agent.stream.position import Level

HELD = Standing("held", Hold("mass-deletion", "181 of 200 entries deleted since 10:00", "hikae accept web"))
PAUSED = Standing("paused", pauses=(Pause("apply", None),))
FULL = Standing("streaming", errors=1, worst=Trouble("standby-disk-full", "no room", "free space"))


@pytest.mark.parametrize(
    ("said", "sentence", "remedy"),
    [
        (HELD, "beta is held: 181 of 200 entries deleted since 10:00", "on beta: hikae accept web"),
        (PAUSED, "applying is paused on beta until it is resumed", "on beta: hikae resume web"),
        (FULL, "beta cannot apply: no room", "on beta: free space"),
    ],
)
def test_what_stands_in_the_way_of_applying(said: Standing, sentence: str, remedy: str) -> None:
    """It ends a wait for what is applied, with the place to type what leads out of it; what comes is stored meanwhile."""
    assert Obstacle(sentence, remedy) == of_standing(said, "beta", Level.APPLIED, "web")
    assert None is of_standing(said, "beta", Level.DURABLE, "web")


@pytest.mark.parametrize("level", list(Level))
def test_what_stands_in_the_way_of_storing(level: Level) -> None:
    """Nothing is applied either that cannot be stored."""
    said = Standing("streaming", errors=1, worst=Trouble("state-disk-full", "no room", ""))
    assert Obstacle("beta cannot store what comes: no room", "see hikae status on beta") == of_standing(
        said, "beta", level, "web"
    )


@pytest.mark.parametrize(
    "said",
    [
        Standing("streaming"),
        Standing("paused", pauses=(Pause("apply", 1_800_000_000_000_000_000),)),
        Standing("degraded", errors=1, worst=Trouble("chunk-damaged", "it is lost", "it is fetched again")),
    ],
)
def test_what_ends_by_itself_is_waited_for(said: Standing) -> None:
    """A pause with an end, or what is mended from the primary, is no reason to give up."""
    assert None is of_standing(said, "beta", Level.APPLIED, "web")
