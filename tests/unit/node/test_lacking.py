"""What a divergence lacks is kept and told, whenever the agent ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.adopt.filling.fill_mark import begin_filling
from agent.adopt.filling.filling import FillingStores
from agent.core.clock import ManualClock
from agent.core.ids import CommitNumber, ObjectId
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import SEEDING_LOST
from agent.node.rejoining.lacking import FILE, KNOWN, PATHS, REJOINS, Lacking, read_lacking, write_lacking
from agent.node.rejoining.rejoined import Rejoined
from agent.store.catalog.generation import Cause, Generation
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.capture_fakes import LightOutlet, station

COMMIT = CommitNumber(7)


def test_the_first_are_named_and_all_are_counted() -> None:
    """Each that is known once, however often it is met."""
    found = Lacking().with_more((ObjectId(number), b"f%d" % number) for number in range(3_000))
    again = found.with_more([(ObjectId(5), b"f5"), (ObjectId(4_000), None)])
    assert (3_000, KNOWN, PATHS, b"f99") == (found.count, len(found.ids), len(found.paths), found.paths[-1])
    assert (3_001, found.paths) == (again.count, again.paths)


def test_it_is_read_back(tmp_path: Path) -> None:
    """Of the last rejoins, whatever bytes a name has."""
    known = {CommitNumber(number): Lacking(1, (ObjectId(3),), (b"a\xff\n",)) for number in range(REJOINS + 3)}
    write_lacking(tmp_path, known)
    assert dict([*known.items()][-REJOINS:]) == read_lacking(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"x": {}}', '{"7": 3}', "\0" * 9])
def test_a_torn_file_says_nothing(tmp_path: Path, text: str) -> None:
    """Nor is it in the way."""
    (tmp_path / FILE).write_text(text)
    assert {} == read_lacking(tmp_path)


def test_it_outlives_the_agent(tmp_path: Path) -> None:
    """Two files are rewritten before they were copied: the next process says so, counts a third one to them, and the generation
    says how many."""
    root, home, missed = tmp_path / "tree", tmp_path / "state", list[str]()
    for path in (root, home):
        path.mkdir()
    for name in ("a", "b", "c"):
        (root / name).write_text(name * 100)
    with (
        station(root, tmp_path / "home", LightOutlet()) as made,
        Vault.open(str(tmp_path / "vault"), PackEnd(0, 0)) as vault,
    ):
        made.synced()
        made.pump.stop()
        newest = made.catalog.newest()
        assert newest is not None
        begin_filling(made.local, newest.number)
        one = Generation("20261122T041500Z", newest.number, 7, 7, Cause.BEFORE, label="divergence-2", pinned=True)
        made.catalog.keep_generations([one])
        stores = FillingStores(str(root), vault, made.local, made.catalog.reader)

        def opened(board: ProblemBoard) -> Rejoined:
            return Rejoined("web", home, stores, board, ManualClock(), missed=missed.append)

        def touched(rejoined: Rejoined, *names: str) -> None:
            for name in names:
                (root / name).write_text("another")
            ids = [made.id_of(name.encode()) for name in names]
            rejoined.filling.before([(id, b"") for id in ids if id is not None], (), lambda: None)

        first = opened(ProblemBoard())
        touched(first, "a", "b")
        first.close()
        board = ProblemBoard()
        second = opened(board)
        [told] = board.listed()[0]
        assert (SEEDING_LOST, True) == (
            told.code,
            told.message.startswith("2 files") and told.message.endswith(": a, b"),
        )
        assert "hikae generations show web divergence-2" in told.remedy
        touched(second, "c", "a")
        second.look(made.catalog)
        second.close()
        assert (b"a", b"b", b"c") == read_lacking(home)[newest.number].paths
        assert [replace(one, incomplete=3)] == made.catalog.generations()
        assert 2 == len(missed)
