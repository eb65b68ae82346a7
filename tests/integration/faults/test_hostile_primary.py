"""What a primary that was taken over can make its secondary do: nothing that lasts beyond what the protocol gives it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent.core.errors import HikaeError, Refused, TryAgain
from agent.core.ids import EPOCH_STEP, Epoch
from agent.roles.switchover.steps import epoch_fact
from agent.store.catalog.reader import CatalogReader
from agent.stream.messages import Refuse
from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.hostile_primary import HostilePrimary

#: ``before_promote`` says that it runs, and rests until it may go on.
RESTS = "echo x >>{0}; until test -e {0}.go; do sleep 0.1; done"
HOOKS = f'[dataset.hooks]\nstart = "none"\nstop = "none"\nbefore_promote = ["sh", "-c", "{RESTS}"]\n'


@pytest.fixture
def taken_over() -> Iterator[tuple[Pair, HostilePrimary]]:
    """beta has a commit of alpha's; then alpha is somebody else's."""
    with pair() as both:
        hooks = HOOKS.format(both.base / "ran")
        both.beta.config.write_text(both.beta.config.read_text() + hooks)
        (both.source / "f").write_text("1")
        both.begin()
        both.alpha.kill()
        both.beta.connected(False)
        yield both, HostilePrimary(both)


def _lineage(both: Pair) -> list[Epoch]:
    with CatalogReader.open(str(both.home(both.beta) / "catalog.db")) as catalog:
        return catalog.lineage


def _handed(both: Pair, epoch: str) -> dict[str, object]:
    """A place that is handed over where beta stands, so that only the epoch is wrong."""
    with CatalogReader.open(str(both.home(both.beta) / "catalog.db")) as catalog:
        newest = catalog.newest()
    assert newest is not None
    return {"epoch": epoch, "commit": newest.number, "digest": newest.digest.hex()}


def test_a_reign_without_an_id_of_its_own_is_not_taken_over(taken_over: tuple[Pair, HostilePrimary]) -> None:
    """Else beta would keep a record that nobody can read any more; it stays the standby that it was, also after a restart."""
    both, alpha = taken_over
    known = _lineage(both)[-1].token
    lies = ("2 00 beta", f"2 {known.hex()} beta", "2  beta", epoch_fact(Epoch(9, "beta", b"t" * 16)), "2 x", "")
    for lie in lies:
        with pytest.raises(HikaeError) as refused:
            alpha.ask("take-over", _handed(both, lie))
        assert "bug" not in refused.value.reason, lie
    both.beta.restart()
    assert eventually(lambda: both.beta.look()["epoch"] == 1 and both.beta.look()["role"] == "standby")


def test_a_hook_runs_once_at_a_time(taken_over: tuple[Pair, HostilePrimary]) -> None:
    """However often it is asked for, and what a hook is told is one line."""
    both, alpha = taken_over

    def prepare() -> bool:
        try:
            alpha.ask("switchover-look", {"stage": "prepare", "reason": "x\n" * 20_000})
        except (TryAgain, Refused):
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(prepare) for _ in range(6)]
        try:
            eventually(lambda: 5 == sum(one.done() for one in asked))
        finally:
            (both.base / "ran.go").touch()
        done = [one.result() for one in asked]
    assert (1, "x\n") == (done.count(True), (both.base / "ran").read_text())


def test_epochs_that_come_too_fast_are_not_met(taken_over: tuple[Pair, HostilePrimary]) -> None:
    """Else all numbers were used up within minutes, and nobody could promote beta any more; promoted it reigns above all."""
    both, alpha = taken_over
    codes, number = list[str](), EPOCH_STEP
    while not codes and number < EPOCH_STEP + 200:
        number += 1
        answers = alpha.calls(Epoch(number, "alpha", os.urandom(16)))
        codes = [part.code for part in answers if isinstance(part, Refuse)]
    assert (["epoch-too-high"], number - 1) == (codes, _lineage(both)[-1].number)
    (both.base / "ran.go").touch()
    both.beta.json("promote", "web", "--force", "--yes")
    assert eventually(lambda: both.beta.look()["epoch"] == number)
