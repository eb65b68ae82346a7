"""What the other node of a switchover answers: whatever it says is a failure of a step, and never a bug of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.core.errors import HikaeError
from agent.roles.switchover.answers import gates_in, owed_in, said_in, stands_in, steps_in
from agent.roles.switchover.steps import StandsAt

GATE = {"name": "owed", "ok": True, "value": "none", "limit": "none", "measured": None, "remedy": ""}
LIES: dict[str, tuple[Callable[[str, object], object], object]] = {
    "nothing": (gates_in, None),
    "no gates": (gates_in, {}),
    "gates of another kind": (gates_in, {"gates": {"name": "owed"}}),
    "a gate that is none": (gates_in, {"gates": ["owed"]}),
    "a gate without a verdict": (gates_in, {"gates": [{**GATE, "ok": "yes"}]}),
    "a gate whose value is none": (gates_in, {"gates": [{**GATE, "value": {}}]}),
    "a gate that was measured oddly": (gates_in, {"gates": [{**GATE, "measured": 7}]}),
    "too many gates": (gates_in, {"gates": [GATE] * 65}),
    "no word": (said_in, []),
    "a word of another kind": (said_in, {"said": 7}),
    "no commit": (stands_in, {"digest": "aa", "applied": 1}),
    "a commit that is true": (stands_in, {"commit": True, "digest": "aa", "applied": 1}),
    "a commit below all": (stands_in, {"commit": -1, "digest": "aa", "applied": 1}),
    "a commit beyond all": (stands_in, {"commit": 1 << 63, "digest": "aa", "applied": 1}),
    "a digest that is none": (stands_in, {"commit": 1, "digest": None, "applied": 1}),
    "a digest that is too long": (stands_in, {"commit": 1, "digest": "a" * 65, "applied": 1}),
    "no steps": (steps_in, {"epoch": 2}),
    "a step without a time": (steps_in, {"steps": [{"name": "role"}]}),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_no_node_says(lie: str) -> None:
    """It is told with the node that said it, and the step before it is undone."""
    read, answer = LIES[lie]
    with pytest.raises(HikaeError) as failed:
        read("beta", answer)
    assert ("beta", "understand the answer") == (failed.value.subject, failed.value.operation)


def test_what_nodes_say() -> None:
    """It is read; words keep to one line, and have an end."""
    stands = {"commit": 7, "digest": "aa", "applied": 6}
    assert StandsAt(7, "aa", 6) == stands_in("beta", stands)
    assert (0, 3) == (owed_in("beta", stands), owed_in("beta", {**stands, "owed": 3}))
    gate = {**GATE, "value": "a\n" + "x" * 5000, "more": "later releases say more"}
    assert [{**GATE, "value": "a\\n" + "x" * 1022}] == gates_in("beta", {"gates": [gate]})
    assert {"steps": [{"name": "role", "ms": 3}]} == steps_in(
        "beta", {"epoch": 2, "steps": [{"name": "role", "ms": 3}]}
    )
