"""Versions of the protocol: what is agreed, and who is told to upgrade."""

from __future__ import annotations

import pytest

from agent.core.errors import WireError
from agent.core.ids import NO_EPOCH, NOTHING
from agent.stream.messages import VERSION, Hello, Welcome
from agent.stream.versions import SPOKEN, agree, check_welcome, refusal


def hello(*versions: int, program: str = "") -> Hello:
    """A primary's first part."""
    return Hello("alpha", "web", versions, NO_EPOCH, NOTHING, b"", program=program)


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ((1,), (1,), 1),
        ((2, 1), (1,), 1),
        ((1,), (1, 2), 1),
        ((2, 1), (3, 2), 2),
        ((2, 1), (2, 1), 2),
        ((1,), (2,), None),
        ((3, 2), (1,), None),
        ((1,), (), None),
    ],
)
def test_the_newest_that_both_speak(ours: tuple[int, ...], theirs: tuple[int, ...], agreed: int | None) -> None:
    """Neighbouring releases always find one, those further apart do not; the order of the lists means nothing."""
    assert (agreed, agreed) == (agree(ours, theirs), agree(theirs, ours))


def test_this_release_speaks_its_own_version_first() -> None:
    """And no more than one before it."""
    assert VERSION == SPOKEN[0]
    assert {VERSION, VERSION - 1} >= set(SPOKEN)


@pytest.mark.parametrize(
    ("ours", "theirs", "older"),
    [((1,), (2,), "beta"), ((1,), (3, 2), "beta"), ((3, 2), (1,), "alpha"), ((1,), (), "alpha")],
)
def test_the_older_release_is_to_be_upgraded(ours: tuple[int, ...], theirs: tuple[int, ...], older: str) -> None:
    """The refusal says which versions meet, and which node to upgrade."""
    refuse = refusal("beta", ours, hello(*theirs))
    assert ("version", True) == (refuse.code, refuse.remedy.startswith(f"upgrade {older}"))


def test_an_old_secondary_is_upgraded_first() -> None:
    """The whole sentence for a primary that was upgraded first by mistake."""
    refuse = refusal("beta", (1,), hello(3, 2, program="0.9.0"))
    assert "beta speaks version 1 of the protocol, alpha (0.9.0) speaks versions 2, 3" == refuse.reason
    assert "upgrade beta: the secondary first" == refuse.remedy


@pytest.mark.parametrize(("node", "version"), [("gamma", 1), ("beta", 2), ("beta", 0)])
def test_a_welcome_keeps_to_what_was_offered(node: str, version: int) -> None:
    """Another name, a version that was not offered: refused in a sentence."""
    welcome = Welcome(node, NO_EPOCH, NOTHING, b"", NOTHING, 1, version)
    with pytest.raises(WireError):
        check_welcome("beta", (1,), welcome)
    check_welcome(node, (version,), welcome)
