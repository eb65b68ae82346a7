"""How long a switchover waits for the node that is to take over."""

from __future__ import annotations

import pytest

from agent.roles.switchover.arrival import ArrivalLimits, ArrivalWait

LIMITS = ArrivalLimits(arrives=120.0, gone=15.0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([(1.0, True), (100.0, True)], ""),
        ([(14.9, False)], ""),
        ([(15.0, False)], "beta has not been connected for 15 s"),
        ([(10.0, True), (24.9, False)], ""),
        ([(10.0, True), (25.0, False)], "beta has not been connected for 15 s"),
        ([(120.0, True)], "beta has not applied within 120 s what was written"),
    ],
)
def test_it_is_given_up(seen: list[tuple[float, bool]], expected: str) -> None:
    """Soon where the node is away, since nothing is served meanwhile; late where it is at it."""
    wait = ArrivalWait("beta", 0.0, LIMITS)
    assert expected == [wait.given_up(now, connected=connected) for now, connected in seen][-1]
