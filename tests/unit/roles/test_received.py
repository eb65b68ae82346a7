"""What a node that was promoted received, and what it captured itself."""

from __future__ import annotations

import pytest

from agent.core.errors import NotFound
from agent.core.ids import NOTHING, Epoch, commit_number
from agent.generations.moments import Moment
from agent.roles.received import received_until, require_received

TOKEN = b"t" * 16
ALPHA, BETA, AGAIN = Epoch(1, "alpha", TOKEN), Epoch(2, "beta", TOKEN), Epoch(4, "beta", TOKEN)


@pytest.mark.parametrize(
    ("lineage", "last"),
    [
        ([ALPHA, BETA], commit_number(2, 0) - 1),
        ([ALPHA, BETA, AGAIN], commit_number(2, 0) - 1),
        ([ALPHA], NOTHING),
        ([], NOTHING),
    ],
)
def test_all_before_its_own_reign_was_received(lineage: list[Epoch], last: int) -> None:
    """Several epochs of its own in a row are one reign; who does not reign has no such end."""
    assert last == received_until(lineage, "beta")


def test_a_moment_of_its_own_reign_is_elsewhere() -> None:
    """The last one that was received is there; the next one is not, and who keeps it is named."""
    until = received_until([ALPHA, BETA], "beta")
    require_received(Moment(commit_number(1, 9), "", 0, ""), until, "beta", ["alpha"])
    with pytest.raises(NotFound, match="--from alpha"):
        require_received(Moment(commit_number(2, 1), "", 0, ""), until, "beta", ["alpha"])
