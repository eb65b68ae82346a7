"""The epoch record survives, and is not guessed when it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.errors import Damaged
from agent.roles import epoch_record


def test_an_epoch_is_read_back(tmp_path: Path) -> None:
    """What was written is read, and nothing is nothing."""
    record = tmp_path / "role.json"
    assert epoch_record.read_epoch(record) is None
    epoch = epoch_record.following(4, "alpha")
    epoch_record.write_epoch(record, epoch)
    assert epoch == epoch_record.read_epoch(record)
    assert (5, "alpha") == (epoch.number, epoch.owner)


def test_two_reigns_of_one_number_differ() -> None:
    """The token tells them apart."""
    assert epoch_record.following(1, "alpha") != epoch_record.following(1, "alpha")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"number": 1, "owner": "a", "token": "x"}'])
def test_a_damaged_record_is_an_error(tmp_path: Path, text: str) -> None:
    """A record that cannot be read stops the dataset, with a remedy."""
    record = tmp_path / "role.json"
    record.write_text(text)
    with pytest.raises(Damaged, match="rm "):
        epoch_record.read_epoch(record)
