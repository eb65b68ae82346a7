"""The second process beside a real agent."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from agent.web.start import BESIDE
from fakes.agents import pair
from fakes.eventually import eventually
from fakes.web_agents import asked, with_web


def test_an_agent_starts_it_and_it_says_who_serves() -> None:
    """The primary is where the application is written to; the other stands by; names that are none are 404."""
    with pair() as both:
        ports = {agent.name: with_web(agent) for agent in both.agents}
        (both.source / "file").write_bytes(b"x")
        both.begin()
        alpha, beta = ports["alpha"].health, ports["beta"].health
        eventually(lambda: asked(alpha, "/primary")[0] == 200 and asked(beta, "/standby")[0] == 200)
        paths = ("/datasets/web/primary", "/datasets/web/standby", "/datasets/nix/primary")
        assert [(200, 503), (503, 200), (404, 404)] == [(asked(alpha, one)[0], asked(beta, one)[0]) for one in paths]
        gates = json.loads(asked(beta, "/datasets/web/promotable")[1])["gates"]
        assert {"lag", "consistent"} <= {gate["name"] for gate in gates}


def test_a_restart_of_the_agent_drops_nobody() -> None:
    """The one that served goes on until the next one takes its addresses over: nobody who asks twice a second misses an answer
    twice."""
    with pair() as both:
        port = with_web(both.alpha).health
        both.begin()
        eventually(lambda: asked(port, "/readyz")[0] == 200)
        first = (both.alpha.socket.parent / BESIDE).read_text()
        stop, gaps = threading.Event(), [0.0]

        def watch() -> None:
            failed: float | None = None
            while not stop.wait(0.02):
                good = asked(port, "/readyz")[0] == 200
                failed = None if good else failed or time.monotonic()
                gaps.append(time.monotonic() - failed if failed else 0.0)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            both.alpha.kill(signal.SIGTERM)
            both.alpha.start()
            both.alpha.up()
            eventually(lambda: (both.alpha.socket.parent / BESIDE).read_text() != first)
            eventually(lambda: asked(port, "/primary")[0] == 200)
        finally:
            stop.set()
            watcher.join()
        assert max(gaps) < 1.0


def test_it_ends_once_nobody_publishes_any_more() -> None:
    """An agent that was killed is stale after a while, and what it started goes with it."""
    with pair() as both:
        port = with_web(both.alpha).health
        both.alpha.start()
        both.alpha.up()
        eventually(lambda: asked(port, "/livez")[0] == 200)
        process = int((both.alpha.socket.parent / BESIDE).read_text())
        both.alpha.kill()
        for name in ("state.json", "state-full.json"):
            os.utime(both.alpha.socket.parent / name, (1, 1))
        eventually(lambda: not _runs(process))
        assert (0, "") == asked(port, "/livez")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give away")
def test_it_runs_without_privileges() -> None:
    """No request is read by root: other ids, no groups of root's, no capabilities, and none to be had."""
    with pair() as both:
        port = with_web(both.alpha).health
        both.alpha.start()
        both.alpha.up()
        eventually(lambda: asked(port, "/livez")[0] == 200)
        status = Path("/proc", (both.alpha.socket.parent / BESIDE).read_text().strip(), "status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        ids = {word for key in ("Uid", "Gid", "Groups") for word in fields[key].split()}
        assert (False, 0, 0, "1") == (
            "0" in ids,
            int(fields["CapEff"], 16),
            int(fields["CapPrm"], 16),
            fields["NoNewPrivs"].strip(),
        )


def test_an_address_that_is_taken_is_a_problem_with_a_way_out() -> None:
    """The agent itself goes on."""
    with pair() as both:
        ports = with_web(both.alpha)
        text = both.alpha.config.read_text()
        both.alpha.config.write_text(text.replace(f":{ports.health}", f":{both.beta.port}"))
        both.beta.start()
        both.beta.up()
        both.alpha.start()
        both.alpha.up()
        assert "is taken" in both.alpha.told("health-not-served", "address")["message"]


def test_the_console_shows_paths_for_the_token_alone(tmp_path: Path) -> None:
    """Without it 401; the file is read before privileges go."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123\n")
    token.chmod(0o600)
    with pair() as both:
        port = with_web(both.alpha, f'token_file = "{token}"\n').console
        both.alpha.start()
        both.alpha.up()
        assert 401 == eventually(lambda: asked(port, "/status")[0])


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
