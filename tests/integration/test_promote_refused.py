"""Promotions that cannot be, or go wrong: each ends in a clear refusal or a clear state."""

from __future__ import annotations

import subprocess

from fakes.agents import Pair, pair
from fakes.eventually import eventually

SLOW = '[dataset.hooks]\nstart = "none"\nbefore_promote = ["sh", "-c", "until test -e {0}/go; do sleep 0.1; done"]\n'
FAILS = '[dataset.hooks]\nstart = "none"\nbefore_promote = ["sh", "-c", "echo not now; exit 7"]\n'
MISSING = '[dataset.hooks]\nstart = ["/nowhere/start"]\n'


def _mirrored(both: Pair) -> Pair:
    (both.source / "a").write_text("a")
    both.begin()
    both.alpha.kill()
    return both


def _typed(both: Pair) -> subprocess.CompletedProcess[str]:
    return both.beta.run("promote", "web", "--force", "--yes")


def test_a_hook_that_fails_before_leaves_the_standby() -> None:
    """It says what the program said; nothing has changed, and what failed is told until it is typed again."""
    with pair(FAILS) as both:
        done = _typed(_mirrored(both))
        assert (1, True, False) == (done.returncode, "not now" in done.stderr, "Traceback" in done.stderr)
        assert ("standby", 1) == (both.beta.look()["role"], both.beta.look()["epoch"])
        both.beta.told("promotion-failed")


def test_a_hook_that_is_missing_after_the_record_is_told() -> None:
    """The node is the primary then: another may not be it in the same epoch."""
    with pair(MISSING) as both:
        done = _typed(_mirrored(both))
        assert (1, True) == (done.returncode, "/nowhere/start" in done.stderr)
        assert ("primary", 2) == (both.beta.look()["role"], both.beta.look()["epoch"])


def test_twice_at_once_is_done_once() -> None:
    """The second is told that one is under way, and the first comes to its end."""
    with pair() as both:
        config = both.beta.config
        config.write_text(config.read_text() + SLOW.format(both.base))
        _mirrored(both)
        words = [*both.beta.program, "--config", str(config), "promote", "web", "--force", "--yes"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as first:
            # Of two that are typed at one time either may be the first.
            eventually(lambda: both.beta.look()["moving"])
            assert "under way" in _typed(both).stderr
            assert ("standby", 75) == (both.beta.look()["role"], _typed(both).returncode)
            (both.base / "go").touch()
            assert 0 == first.wait(60)
        assert ("primary", 2) == (both.beta.look()["role"], both.beta.look()["epoch"])


def test_before_the_first_sync_there_is_nothing_to_serve() -> None:
    """Neither by force."""
    with pair('[dataset.hooks]\nstart = "none"\n') as both:
        both.beta.start()
        both.beta.up()
        eventually(lambda: both.beta.look().get("promotion"))
        done = _typed(both)
        assert (3, True) == (done.returncode, "consistent: nothing has been received" in done.stderr)
        unknown = both.beta.run("promote", "web", "--at", "2001-01-01 00:00", "--yes", "--force")
        assert (True, False) == (unknown.returncode in (3, 4), "Traceback" in unknown.stderr)
