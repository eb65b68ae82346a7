"""What is said where the vault's limit leaves no room for the history that is configured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from agent.config.values import Dataset
from agent.core.kept import VaultFacts
from agent.generations.vault_growth import history_allowed
from agent.node.following.short_history import limit_for, short_history

GIB = 1 << 30


@dataclass(frozen=True)
class FakeDataset:
    """What is read of one."""

    name: str = "web"
    history: int = 86_400


WEB = cast(Dataset, FakeDataset())


def said(size: int, changes: int | None, allowed: int = 43_200) -> tuple[str, str]:
    """Message and remedy of a vault of 10 GiB that takes ``size``, whatever it grows by."""
    told = {
        (problem.message, problem.remedy)
        for growth in (4 * GIB, 0, -2 * GIB, None)
        if (problem := short_history(WEB, allowed, VaultFacts(size, 10 * GIB, None, growth, None), changes, 5))
    }
    assert 1 == len(told)
    return told.pop()


def test_it_names_what_changes_in_a_day_and_the_limit_that_would_do() -> None:
    """Also where the vault grows no more, or shrinks, since history is shortened: with that limit it gets longer all the way."""
    assert (
        "there is room for 12 h 0 min of history, and 1 day 0 h are configured; 4.0 GiB of changes come in a day",
        "raise vault_limit to about 15.7 GiB, shorten history, or let generations of web go",
    ) == said(9 * GIB, 4 * GIB)
    limit, allowed = limit_for(9 * GIB, 4 * GIB, 43_200), 43_200
    while allowed < 86_400:
        size = 9 * GIB + 4 * GIB * (allowed - 43_200) // 86_400
        longer = history_allowed(86_400, allowed, allowed, size, limit)
        assert longer > allowed
        allowed = longer


def test_what_is_not_known_is_not_made_up() -> None:
    """No limit is named then; where there is room again, none is asked for."""
    message, remedy = said(9 * GIB, None)
    assert message.endswith("; how much changes in a day is not known yet")
    assert "raise vault_limit, shorten history" in remedy
    assert "there is room again, and it gets longer by itself" in said(5 * GIB, GIB)[1]


def test_nothing_is_said_where_all_of_it_fits() -> None:
    """Nor where there is no limit."""
    vault = VaultFacts(9 * GIB, 10 * GIB, None, 4 * GIB, None)
    assert short_history(WEB, 86_400, vault, GIB, 5) is None
    assert short_history(WEB, 43_200, replace(vault, limit=None), GIB, 5) is None
