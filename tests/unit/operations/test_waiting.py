"""What is said of a standby that is waited for."""

from __future__ import annotations

import pytest

from agent.core.standing import NEVER
from agent.operations.waiting import left_text
from agent.status.facts import FIRST_SYNC, PeerFacts, SyncFacts

MIB = 1 << 20
COUNTING, COUNTED = SyncFacts(FIRST_SYNC, MIB, None), SyncFacts(FIRST_SYNC, MIB, 4 * MIB)


@pytest.mark.parametrize(
    ("left", "forecast", "sync", "said"),
    [
        (0, 0.0, None, ""),
        (3 * MIB, 5.0, None, ", 3.0 MiB are left: about 5.0 s"),
        (3 * MIB, None, None, ", 3.0 MiB are left"),
        (3 * MIB, NEVER, None, ", 3.0 MiB are left"),
        (3 * MIB, 5.0, COUNTED, ", 3.0 MiB are left: about 5.0 s"),
        (3 * MIB, None, COUNTING, ", 3.0 MiB are left so far"),
    ],
)
def test_what_is_left(left: int, forecast: float | None, sync: SyncFacts | None, said: str) -> None:
    """With when it is there, as far as that is known; of a first sync that nobody has counted it is not the whole."""
    assert said == left_text(PeerFacts("beta", behind_bytes=left, forecast_seconds=forecast, first_sync=sync))


def test_what_is_left_of_an_unknown_whole_is_so_far() -> None:
    """The standby has not said yet what it has."""
    peer = PeerFacts("beta", behind_bytes=MIB, behind_known=False)
    assert ", 1.0 MiB are left so far" == left_text(peer)
