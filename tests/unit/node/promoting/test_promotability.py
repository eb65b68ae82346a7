"""What a promotion now would be, by what a node knows of its standby."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from agent.config.values import Dataset, Hooks, Promote
from agent.core.commit import Commit
from agent.node.promoting.promotability import Witness, promotion_of
from agent.roles.gates import LastWord
from agent.status.promotion import LossFacts
from agent.status.state import Role
from fakes.api_fakes import A_COMMIT, NOW, a_dataset

PART = replace(A_COMMIT, consistent=False)
#: Of it only these are asked for.
DATASET = cast(Dataset, SimpleNamespace(promote=Promote(), hooks=Hooks()))
SAID = Witness(1, "", LastWord(NOW - 10**9, 1.1), LossFacts(((b"a", 10),), 1, 10, 1.4))


@pytest.mark.parametrize(
    ("commit", "first_sync", "seconds", "late"),
    [
        pytest.param(None, True, None, False, id="nothing came"),
        pytest.param(PART, True, None, False, id="a part came"),
        pytest.param(A_COMMIT, True, 1.4, True, id="all came and waits for the applier"),
        pytest.param(A_COMMIT, False, 1.4, True, id="it is through"),
        pytest.param(PART, False, 1.4, True, id="a doubt later on"),
    ],
)
def test_a_first_sync_is_not_some_seconds_late(
    commit: Commit | None, first_sync: bool, seconds: float | None, late: bool
) -> None:
    """What the primary announced is lost beside all that it did not send yet, which is not known here."""
    facts = a_dataset(role=Role.STANDBY, commit=commit, first_sync=first_sync)
    found = promotion_of(facts, DATASET, SAID)
    lag = next(gate.ok for gate in found.gates if gate.name == "lag")
    assert (seconds, late, 1) == (found.loss.seconds, lag, found.loss.count)
