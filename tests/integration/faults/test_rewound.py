"""A primary whose state directory is an old copy: named, fenced, nothing changes on the standby; and both ways out of it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.core.errors import Exit
from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.trees import snapshot


@contextmanager
def two_states() -> Iterator[tuple[Pair, Path, Path]]:
    """A pair, stopped primary, with an old and the newest copy of its state; its state directory is gone.

    One file was written several times in between: the old state, which finds its last content at once, has no such commits."""
    with pair() as both:
        for number in range(20):
            (both.source / f"f{number}").write_text(f"first {number}")
        both.begin()
        both.alpha.kill(signal.SIGTERM)
        old, newest = both.base / "old", both.base / "newest"
        shutil.copytree(both.alpha.state, old)
        both.alpha.start()
        for number in range(3):
            (both.source / "newer").write_text(str(number))
            both.mirror()
        both.alpha.kill(signal.SIGTERM)
        both.alpha.state.rename(newest)
        yield both, old, newest


def put_back(both: Pair, copy: Path) -> None:
    """Start the primary on a copy of its state."""
    both.alpha.kill(signal.SIGTERM)
    shutil.rmtree(both.alpha.state, ignore_errors=True)
    shutil.copytree(copy, both.alpha.state)
    both.alpha.start()


def is_rewound(both: Pair) -> None:
    """It says so, with the peer, its commit, and both ways out."""
    problem = both.alpha.told("rewound", "old copy", "beta")
    assert all(words in problem["remedy"] for words in ("hikae accept web", str(both.home(both.alpha)))), problem
    assert "rewound" == both.alpha.look()["state"]


def test_an_old_copy_sends_nothing_and_the_newest_one_goes_on() -> None:
    """Rewound also after a restart, whether or not the peer is there; the newest state put back, all is as before."""
    with two_states() as (both, old, newest):
        theirs = both.beta.look()["commit"]
        before = snapshot(str(both.target))
        put_back(both, old)
        is_rewound(both)
        assert f"{theirs['epoch']}.{theirs['seq']}" in both.alpha.problems()["rewound"]["message"]
        (both.source / "not-sent").write_text("1")
        done = both.alpha.run("wait", "web", "--durable", "--timeout", "20")
        assert Exit.REFUSED == done.returncode, done.stderr
        since = both.alpha.problems()["rewound"]["since"]
        both.beta.kill(signal.SIGTERM)
        both.alpha.restart()
        is_rewound(both)
        assert since == both.alpha.problems()["rewound"]["since"]
        both.beta.start()
        both.beta.up()
        both.alpha.restart()
        is_rewound(both)
        # It answers before its dataset is open.
        assert theirs == eventually(lambda: both.beta.look().get("commit"))
        assert before == snapshot(str(both.target))
        put_back(both, newest)
        both.mirror()
        both.alpha.cleared("rewound", "disconnected", "not-running")
        assert (1, "1") == (both.beta.look()["epoch"], (both.target / "not-sent").read_text())


def test_the_newest_copy_laid_over_the_old_one() -> None:
    """The mark is still there then; it is seen that the state is the newest, and the mark goes."""
    with two_states() as (both, old, newest):
        put_back(both, old)
        is_rewound(both)
        both.alpha.kill(signal.SIGTERM)
        for path in both.home(both.alpha).glob("*.db-*"):
            path.unlink()
        shutil.copytree(newest, both.alpha.state, dirs_exist_ok=True)
        both.alpha.start()
        both.mirror()
        both.alpha.cleared("rewound")
        assert not (both.home(both.alpha) / "rewound.json").exists()


@pytest.mark.parametrize("offline", [0, 4])
def test_what_stands_here_is_accepted(offline: int) -> None:
    """A higher epoch begins from what the primary's tree holds now, also when the old copy went on by itself beyond the peer's
    newest commit before they met; the secondary keeps its earlier commits."""
    with two_states() as (both, old, _):
        both.beta.kill(signal.SIGTERM)
        put_back(both, old)
        for number in range(offline):
            (both.source / f"offline{number}").write_text("1")
            both.alpha.json("reconcile", "web")
        both.beta.start()
        is_rewound(both)
        assert both.alpha.json("accept", "web", "--dry-run")["hold"]
        (both.source / "newer").write_text("what is right")
        assert "rewound" == both.alpha.json("accept", "web", "--yes")["accepted"]
        eventually(lambda: 2 == both.alpha.look().get("epoch"))
        both.mirror()
        both.alpha.cleared("rewound", "not-running")
        assert "what is right" == (both.target / "newer").read_text()
        both.alpha.restart()
        (both.source / "later").write_text("1")
        both.mirror()
        assert [2, 2] == [agent.look()["epoch"] for agent in both.agents]


def test_an_image_from_before_a_new_epoch() -> None:
    """The primary lost its catalog and took epoch 2; an image of epoch 1 put back then is old as well."""
    with two_states() as (both, old, newest):
        put_back(both, newest)
        both.alpha.up()
        both.alpha.kill()
        for path in both.home(both.alpha).glob("catalog.db*"):
            path.unlink()
        both.alpha.start()
        both.mirror()
        assert 2 == both.beta.look()["epoch"]
        before = snapshot(str(both.target))
        put_back(both, old)
        is_rewound(both)
        assert before == snapshot(str(both.target))
        both.alpha.json("accept", "web", "--yes")
        eventually(lambda: 3 == both.alpha.look().get("epoch"))
        both.mirror()


def test_accept_finds_nothing_to_accept() -> None:
    """Typed while all is well it is refused, and begins no epoch."""
    with pair() as both:
        (both.source / "f").write_text("1")
        both.begin()
        assert Exit.REFUSED == both.alpha.run("accept", "web", "--yes").returncode
        assert 1 == both.alpha.look()["epoch"]
