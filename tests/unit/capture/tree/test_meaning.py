"""What an entry asks for."""

from __future__ import annotations

import pytest

from agent.capture.tree.meaning import Meaning, meaning
from agent.core.ids import ObjectId

HERE, ELSEWHERE = ObjectId(7), ObjectId(8)


@pytest.mark.parametrize(
    ("stands", "found", "known", "meant"),
    [
        (False, None, None, Meaning.NOTHING),
        (False, None, HERE, Meaning.VANISHED),
        (True, HERE, HERE, Meaning.CAPTURE),
        (True, None, None, Meaning.ADD),
        (True, None, HERE, Meaning.ADD_OVER),
        (True, ELSEWHERE, None, Meaning.RENAME),
        (True, ELSEWHERE, HERE, Meaning.RENAME_OVER),
    ],
)
def test_the_table(stands: bool, found: ObjectId | None, known: ObjectId | None, meant: Meaning) -> None:
    """Every pair of what stands there and what the catalog has there means one thing."""
    assert meant == meaning(stands, found, known)


def test_only_another_object_must_make_way() -> None:
    """Where nothing or the same stood, nothing has to."""
    assert {Meaning.ADD_OVER, Meaning.RENAME_OVER} == {one for one in Meaning if one.clears}
