"""Which object is it?"""

from __future__ import annotations

import pytest

from agent.capture.tree.identify import Candidate, identify
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
    assert expected == identify(FILE, b"h", by_handle, by_name)


def test_a_file_of_an_overlay_that_was_mounted_anew() -> None:
    """Only the device number in what stands for its handle is another: the place decides. Another inode is another file."""
    before, now, other = (
        b"\0ino" + ino + bytes(15) + device * 8 for ino, device in ((b"7", b"a"), (b"7", b"b"), (b"8", b"b"))
    )
    known = Candidate(TWO, FILE, before)
    assert (TWO, None) == (identify(FILE, now, None, known), identify(FILE, other, None, known))
