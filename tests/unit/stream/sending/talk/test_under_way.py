"""What one call asks of its packing, by what it has sent and what was worked off of it."""

from __future__ import annotations

import pytest

from agent.stream.messages import Data
from agent.stream.sending.talk.effort import QUICK, STEADY, THOROUGH
from agent.stream.sending.talk.under_way import UnderWay

MB, PIECE = 1_000_000, 512 << 10


def sending(rate: float, pieces: int) -> UnderWay:
    """So many pieces were worked off one by one, at ``rate`` bytes a second, while two were under way."""
    one = UnderWay()
    one.said(_piece(), PIECE, PIECE, 0.0)
    for number in range(1, pieces + 1):
        one.said(_piece(), PIECE, PIECE, (number - 1) * PIECE / rate)
        one.consumed(number * PIECE, number * PIECE / rate)
    return one


def _piece() -> tuple[Data]:
    return (Data(b"\0", b"\0", [PIECE], [PIECE], bytes(PIECE)),)


@pytest.mark.parametrize(("rate", "level"), [(0.5 * MB, THOROUGH), (8 * MB, STEADY), (200 * MB, QUICK)])
def test_a_backlog_on_a_slow_link_is_packed_harder(rate: float, level: int) -> None:
    """By the rate that was measured, as soon as that is known; once all is worked off nobody waits for the link."""
    assert QUICK == sending(rate, 0).level()
    one = sending(rate, 6)
    assert pytest.approx(rate, rel=0.1) == one.rate
    assert (PIECE, level) == (one.size, one.level())
    one.consumed(7 * PIECE, 7 * PIECE / rate)
    assert (0, QUICK) == (one.size, one.level())
