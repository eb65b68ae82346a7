"""What is said where the vault's limit leaves no room for the history that is configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from agent.config.values import Dataset
from agent.core.kept import VaultFacts
from agent.node.following.short_history import short_history

GIB = 1 << 30


@dataclass(frozen=True)
class FakeDataset:
    """What is read of one."""

    name: str = "web"
    history: int = 86_400


def test_it_names_what_is_lacking_and_the_limit_that_would_do() -> None:
    """By the growth of a day; nothing is said where all of it fits, or where there is no limit."""
    dataset, vault = cast(Dataset, FakeDataset()), VaultFacts(9 * GIB, 10 * GIB, None, 4 * GIB, None)
    problem = short_history(dataset, 43_200, vault, 5)
    assert problem is not None
    assert (
        "there is room for 12 h 0 min of history, and 1 day 0 h are configured; the vault grows by 4.0 GiB a day",
        "raise vault_limit to about 13.3 GiB, shorten history, or let generations of web go",
    ) == (problem.message, problem.remedy)
    assert short_history(dataset, 86_400, vault, 5) is None
    assert short_history(dataset, 43_200, VaultFacts(9 * GIB, None, None, None, None), 5) is None
