"""Limits of `[dataset.limits]` between two agents, changed while they run: what goes over the wire, and what status says."""

from __future__ import annotations

import random
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from agent.core.errors import Exit
from agent.stream.messages import SILENCE
from fakes.agents import Agent, Pair, pair
from fakes.eventually import eventually
from fakes.proxy import Proxy, proxy

MB = 1_000_000
RATE = 2 * MB
SLOW = '[dataset.limits]\nfirst_sync = [{ rate = "2MB/s" }]\nsteady = [{ rate = "2MB/s" }]\n'
#: At which a first sync of some megabytes outlasts the commands, and the restart, that come in the middle of it.
SLOWER = SLOW.replace("2MB/s", "500kB/s")


@contextmanager
def limited(limits: str) -> Iterator[tuple[Pair, Proxy]]:
    """A pair with these lines at the end of both configurations, whose bytes are counted on the wire."""
    with pair(limits) as both, proxy(both.beta.port) as wire:
        both.reach_beta_through(wire.port)
        yield both, wire


def begin(both: Pair) -> None:
    """Start both, the secondary first, so that no attempt fails."""
    for agent in (both.beta, both.alpha):
        agent.start()
        agent.up()


def fill(both: Pair, rng: random.Random, count: int) -> None:
    """So many files of a megabyte that no compression makes smaller."""
    for number in range(count):
        (both.source / f"f{number}").write_bytes(rng.randbytes(MB))


def page(agent: Agent) -> str:
    """The page of status, as one line."""
    return " ".join(agent.run("status").stdout.split())


def closed_now() -> str:
    """Hours of the local day that begin in two."""
    now = datetime.now().astimezone()
    return f"{now + timedelta(hours=2):%H:%M}-{now + timedelta(hours=3):%H:%M}"


def connections(both: Pair) -> list[str]:
    """What the primary's events say of its connection."""
    return [event["code"] for event in both.alpha.json("events") if event["code"].startswith("peer-")]


def limit_of(both: Pair) -> tuple[object, object]:
    """The rate in force for beta, and the list that says so."""
    peers = both.alpha.look().get("peers") or [{}]
    return peers[0].get("rate_limit"), peers[0].get("limited_by")


def test_a_rate_is_kept_and_raised_while_it_runs(rng: random.Random) -> None:
    """2 MB/s are 2 MB/s on the wire; after `hikae reload` with more, the rest is there in a fraction of the time, over the same
    connection; small edits later meet no limit that they could feel."""
    with limited(SLOW) as (both, wire):
        fill(both, rng, 80)
        begin(both)
        eventually(lambda: limit_of(both) == (RATE, "first_sync"))
        eventually(lambda: wire.carried > 4 * MB)
        begun, before = time.monotonic(), wire.carried
        eventually(lambda: wire.carried > before + 12 * MB)
        rate = (wire.carried - before) / (time.monotonic() - begun)
        assert 0.3 * RATE < rate < 1.7 * RATE
        assert re.search(r"first-sync .*limited to 2 MB/s", page(both.alpha))
        both.alpha.config.write_text(both.alpha.config.read_text().replace("2MB/s", "400MB/s"))
        left, begun = 80 * MB - wire.carried, time.monotonic()
        assert ["dataset[web].limits"] == both.alpha.json("reload")["taken"]
        both.mirror()
        assert time.monotonic() - begun < left / RATE / 2
        assert (400 * MB, "steady") == limit_of(both)
        assert ["peer-connected"] == connections(both)


def test_closed_hours_make_the_first_sync_stand_still(rng: random.Random) -> None:
    """Outside of its hours nothing is sent for longer than a silent peer would be given up, the connection stays and status says
    until when; without a limit, by SIGHUP, all goes on. Capture does not wait: more than the peer's queue holds is read
    meanwhile, and what was written meanwhile arrives too."""
    with limited(f'[dataset.limits]\nfirst_sync = [{{ hours = "{closed_now()}", rate = "80MB/s" }}]\n') as (both, wire):
        fill(both, rng, 90)
        begin(both)
        peer = eventually(lambda: [one for one in both.alpha.look()["peers"] if one["waits_until"]])[0]
        assert (0, "first_sync") == (peer["rate_limit"], peer["limited_by"])
        ahead = datetime.fromisoformat(peer["waits_until"]).timestamp() - time.time()
        assert 3600 < ahead <= 7200
        opens = datetime.fromisoformat(peer["waits_until"]).astimezone()
        until = time.monotonic() + SILENCE + 2
        (both.source / "late").write_text("written while it stood still")
        eventually(lambda: time.monotonic() > until, SILENCE + 10)
        assert "first-sync" == both.alpha.look()["state"], (both.alpha.problems(), both.alpha.json("events"))
        assert re.search(rf"first sync waits until (\w+ \d+ )?{opens:%H:%M}", page(both.alpha))
        assert ([], ["peer-connected"]) == (list(both.target.glob("f*")), connections(both))
        assert wire.carried < MB
        newest = both.alpha.look()["commit"]
        assert (True, 91) == (newest["consistent"], newest["entries"])
        text = both.alpha.config.read_text()
        both.alpha.config.write_text(text[: text.index("[dataset.limits]")])
        assert both.alpha.process is not None
        both.alpha.process.send_signal(signal.SIGHUP)
        both.mirror()
        assert (None, None) == limit_of(both)
        assert ["peer-connected"] == connections(both)


def test_steady_hours_wait_for_nobody() -> None:
    """While sending stands still the primary goes on capturing, a stop is quick, and the next start waits on."""
    with pair() as both:
        (both.source / "before").write_text("1")
        both.begin()
        text = both.alpha.config.read_text()
        closed = f'[dataset.limits]\nsteady = [{{ hours = "{closed_now()}" }}]\n'
        both.alpha.config.write_text(text + closed)
        both.alpha.json("reload")
        (both.source / "after").write_text("2")
        assert Exit.TRY_AGAIN == both.alpha.run("wait", "web", "--timeout", "2").returncode
        eventually(lambda: limit_of(both) == (0, "steady"))
        assert "sending waits until " in page(both.alpha)
        eventually(lambda: 2 == both.alpha.look()["commit"]["entries"])
        assert 0 == both.alpha.json("reconcile", "web")["found"]
        begun = time.monotonic()
        both.alpha.restart()
        assert time.monotonic() - begun < 30
        eventually(lambda: limit_of(both) == (0, "steady"))
        assert not (both.target / "after").exists()
        both.alpha.config.write_text(text)
        both.alpha.json("reload")
        both.mirror()


def test_what_is_wrong_or_cannot_change_is_named() -> None:
    """A wrong file is refused whole, by `hikae reload` with 78 and by SIGHUP with a problem; a key that needs a restart is
    named; both clear once the files are as they should be, and the datasets go on meanwhile."""
    with pair() as both:
        both.begin()
        text = both.alpha.config.read_text()
        for wrong, words in (
            (
                text + '[dataset.limits]\nsteady = [{ rate = "2 bananas" }]\n',
                ("dataset[web].limits.steady[1].rate", "80MB/s"),
            ),
            (text + "[dataset.limits\n", ("is no TOML",)),
        ):
            both.alpha.config.write_text(wrong)
            done = both.alpha.run("reload")
            assert (Exit.CONFIG, "") == (done.returncode, done.stdout)
            assert all(word in done.stderr for word in (str(both.alpha.config), *words)), done.stderr
            both.alpha.told("config-invalid", str(both.alpha.config), *words)
        both.alpha.config.write_text(text.replace('kind = "tree"', f'kind = "tree"\nvault = "{both.base}/vaults"'))
        assert both.alpha.process is not None
        both.alpha.process.send_signal(signal.SIGHUP)
        both.alpha.told("config-needs-restart", "dataset[web].vault")
        assert "config-invalid" not in both.alpha.problems()
        (both.source / "x").write_text("still replicated")
        both.mirror()
        both.alpha.config.write_text(text)
        assert ([], []) == tuple(both.alpha.json("reload")[key] for key in ("taken", "needs_restart"))
        both.alpha.cleared("config-needs-restart")
        assert 0 == both.alpha.run("check").returncode


def test_both_nodes_say_the_same_of_a_first_sync(rng: random.Random) -> None:
    """While the standby lacks files both are in the first sync, `check` is a warning, the total is that of the source, and
    what is there never passes it; once they stand there both stream."""
    with limited(SLOWER) as (both, _):
        fill(both, rng, 16)
        begin(both)
        eventually(lambda: sync_of(both.beta).get("total_bytes") == 16 * MB)
        eventually(lambda: "first-sync" == both.alpha.look()["state"] == both.beta.look()["state"])
        assert (1, 1) == (both.alpha.run("check").returncode, both.beta.run("check").returncode)
        for agent in (both.alpha, both.beta):
            said = sync_of(agent)
            assert (16 * MB, True) == (said["total_bytes"], said["done_bytes"] < 16 * MB)
        _hurry(both)
        both.mirror()
        eventually(lambda: "streaming" == both.alpha.look()["state"] == both.beta.look()["state"])
        assert (None, None) == (both.alpha.look()["sync"], both.alpha.peer("beta")["first_sync"])


def _hurry(both: Pair) -> None:
    """Let the rest of a first sync go as fast as it can."""
    text = both.alpha.config.read_text()
    both.alpha.config.write_text(re.sub(r'rate = "\w+/s"', 'rate = "400MB/s"', text))
    both.alpha.json("reload")


def sync_of(agent: Agent) -> dict[str, Any]:
    """What it says of the sync."""
    return agent.look().get("sync") or {}


@pytest.mark.parametrize("which", ["alpha", "beta"])
def test_both_nodes_say_the_same_of_a_first_sync_that_is_resumed(which: str) -> None:
    """Either agent is started anew in the middle: both are in the first sync again, with the whole total, no more than
    that as there, and an estimate, until all stands there."""
    rng = random.Random(1)
    with limited(SLOWER) as (both, _):
        fill(both, rng, 16)
        begin(both)
        eventually(lambda: sync_of(both.alpha).get("done_bytes", 0) > 2 * MB)
        {"alpha": both.alpha, "beta": both.beta}[which].restart()
        eventually(lambda: all(_is_told(agent, 16 * MB) for agent in (both.alpha, both.beta)))
        _hurry(both)
        both.mirror()
        eventually(lambda: "streaming" == both.alpha.look()["state"] == both.beta.look()["state"])
        assert (None, None) == (both.alpha.look()["sync"], both.beta.look()["sync"])


def _is_told(agent: Agent, size: int) -> bool:
    """Whether it is in a first sync of so many bytes, with an estimate; what it says of it must make sense all the time."""
    said = sync_of(agent)
    total, done = said.get("total_bytes"), said.get("done_bytes", 0)
    assert total in (None, size), said
    assert 0 <= done <= size, said
    return (agent.look()["state"], total) == ("first-sync", size) and done < size and said["eta_seconds"] is not None


def test_both_nodes_say_how_far_a_first_sync_is(rng: random.Random) -> None:
    """A large file and small ones at a slow rate: the total before half of it is there, what is there by then, and one estimate;
    it never falls, and both nodes tell the same."""
    with limited(SLOW.replace("2MB/s", "1MB/s")) as (both, _):
        (both.source / "large").write_bytes(rng.randbytes(30 * MB))
        fill(both, rng, 10)
        begin(both)
        total = 40 * MB

        def told() -> list[dict[str, Any]]:
            syncs = [agent.look().get("sync") for agent in both.agents]
            known = [
                sync for sync in syncs if sync is not None and sync["total_bytes"] == total and sync["eta_seconds"]
            ]
            return known if len(known) == 2 and min(sync["done_bytes"] for sync in known) > 5 * MB else []

        first, second = eventually(told)
        assert ("first-sync", "first-sync") == (first["phase"], second["phase"])
        assert max(first["done_bytes"], second["done_bytes"]) < total / 2
        assert abs(first["done_bytes"] - second["done_bytes"]) < 2 * RATE
        assert re.search(r"\d+ %, [\d.]+ MiB of 38\.1 MiB, .*about .* left", page(both.beta))
        _hurry(both)
        both.mirror()
