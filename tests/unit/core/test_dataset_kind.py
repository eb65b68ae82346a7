"""What a dataset is: the words are those of the configuration."""

from __future__ import annotations

from typing import get_args

from agent.config.values import Kind
from agent.core.dataset_kind import DatasetKind


def test_the_words_are_those_of_the_configuration() -> None:
    """Every kind that can be written has its value, and no other."""
    assert set(get_args(Kind)) == {str(kind) for kind in DatasetKind}
