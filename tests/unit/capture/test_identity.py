"""Which object is it?"""

from __future__ import annotations

import pytest

from agent.capture.identity import Candidate, identify
from agent.core.ids import ObjectId

FILE, DIR = 0o100000, 0o040000
ONE, TWO = ObjectId(1), ObjectId(2)


@pytest.mark.parametrize(
    ("by_handle", "by_name", "expected"),
    [
        (None, None, None),
        (Candidate(ONE, FILE, b"h"), None, ONE),
        (Candidate(ONE, FILE, b"h"), Candidate(TWO, FILE, b"other"), ONE),
        (Candidate(ONE, DIR, b"h"), None, None),
        (None, Candidate(TWO, FILE, b"other"), None),
        (None, Candidate(TWO, FILE, None), TWO),
        (None, Candidate(TWO, DIR, None), None),
        (Candidate(ONE, DIR, b"h"), Candidate(TWO, FILE, None), TWO),
    ],
)
def test_a_file(by_handle: Candidate | None, by_name: Candidate | None, expected: ObjectId | None) -> None:
    """The handle decides; the place only where the facts were lost; another type is always another object."""
    assert expected == identify(FILE, by_handle, by_name)
