"""What the journal of roles keeps of a list of steps: who, why, and from which commit it began."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.node.switching.role_keeping import TYPED, steps_ended
from agent.roles.journal import ROLES, RoleChange, RoleJournal
from agent.steps.record import Facts, StepsRecord


def _kept(home: Path, facts: Facts, words: Facts) -> RoleChange:
    journal = RoleJournal(home / ROLES)
    typed = {"uid": None, "by": "alpha says: root (uid 0)", "before": "standby", "commit": 70}
    steps_ended(journal, StepsRecord("take-over", 5, {**words, TYPED: typed}, facts), None)
    return journal.changes()[-1]


@pytest.mark.parametrize(("facts", "commit"), [({}, 70), ({"commit": 77}, 77)])
def test_the_commit_is_the_one_from_which_it_began(tmp_path: Path, facts: Facts, commit: int) -> None:
    """What its steps found; else where this node stood when it was asked for."""
    assert commit == _kept(tmp_path, facts, {}).commit


def test_another_nodes_words_cannot_forge_a_line(tmp_path: Path) -> None:
    """Reason and approval are kept as they were said, and escaped."""
    made = _kept(tmp_path, {}, {"reason": "a\nb", "approved_by": "eve\x1b[2J"})
    assert ("alpha says: root (uid 0)", "a\\nb", "eve\\x1b[2J") == (made.by, made.reason, made.approved_by)
