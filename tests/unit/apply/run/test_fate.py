"""The table of what becomes of an entry."""

from __future__ import annotations

import pytest

from agent.apply.run.fate import Fate, KnownBy, Wanted, fate

CASES = [
    # identity, directory, alive, wanted, fate
    (KnownBy.SURE, False, True, Wanted.ITSELF, Fate.LEAVE),
    (KnownBy.SURE, False, True, Wanted.NOTHING, Fate.KEEP),
    (KnownBy.SURE, False, True, Wanted.OTHER, Fate.KEEP),
    (KnownBy.SURE, False, False, Wanted.NOTHING, Fate.UNLINK),
    (KnownBy.SURE, False, False, Wanted.OTHER, Fate.LEAVE),
    (KnownBy.SURE, False, False, Wanted.DIRECTORY, Fate.UNLINK),
    (KnownBy.SURE, True, True, Wanted.NOTHING, Fate.KEEP),
    (KnownBy.SURE, True, False, Wanted.OTHER, Fate.REMOVE),
    (KnownBy.SURE, True, False, Wanted.DIRECTORY, Fate.REMOVE),
    (KnownBy.GUESSED, False, True, Wanted.NOTHING, Fate.UNLINK),
    (KnownBy.GUESSED, False, True, Wanted.OTHER, Fate.LEAVE),
    (KnownBy.GUESSED, True, True, Wanted.NOTHING, Fate.KEEP),
    (KnownBy.GUESSED, True, False, Wanted.NOTHING, Fate.REMOVE),
    (KnownBy.FOREIGN, False, False, Wanted.NOTHING, Fate.DISPLACE),
    (KnownBy.FOREIGN, True, False, Wanted.NOTHING, Fate.DISPLACE),
    (KnownBy.FOREIGN, True, False, Wanted.DIRECTORY, Fate.LEAVE),
]


@pytest.mark.parametrize(("identity", "directory", "alive", "wanted", "expected"), CASES)
def test_every_row_of_the_table(
    identity: KnownBy, directory: bool, alive: bool, wanted: Wanted, expected: Fate
) -> None:
    """What is right stays, survivors are kept, the dead go or are replaced in one step, strangers are moved aside."""
    assert expected == fate(identity, directory=directory, alive=alive, wanted=wanted)


def test_a_stranger_is_never_removed() -> None:
    """Whatever is wanted, what we did not place is left or moved aside."""
    fates = {
        fate(KnownBy.FOREIGN, directory=directory, alive=alive, wanted=wanted)
        for directory in (False, True)
        for alive in (False, True)
        for wanted in Wanted
    }
    assert {Fate.LEAVE, Fate.DISPLACE} == fates
