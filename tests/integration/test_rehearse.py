"""`hikae rehearse` with real agents: the probe sees the standby at its own path, and what it does there is gone afterwards."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import hostile_probe
from fakes.agents import REPOSITORY, Pair, pair
from fakes.eventually import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")

#: The probe is a program of the tree.
PROBE = """[dataset.hooks]
probe = ["sh", "-c", "cd \\"$HIKAE_PATH\\" && exec sh ./probe"]
"""
WAITS = "echo begun; touch running; sleep 600\n"


@pytest.fixture
def both() -> Iterator[Pair]:
    """Two agents that replicate a small tree, with a probe that says what it sees."""
    with pair(PROBE) as one:
        (one.source / "probe").write_text("cat content; exit 0\n")
        (one.source / "content").write_text("as it was\n")
        (one.source / "moved").write_text("moved\n")
        one.begin()
        settled(one)
        yield one


def settled(both: Pair) -> None:
    """Nothing stands in the way of a rehearsal, but perhaps that no probe is configured."""

    def look() -> bool:
        gates = {gate["name"]: gate["ok"] for gate in both.beta.json("rehearse", "web", "--dry-run")["gates"]}
        return bool(gates["first-sync"] and gates["hold"])

    eventually(look)


def written(both: Pair, script: str) -> None:
    """The probe is this from now on, on both sides."""
    (both.source / "probe").write_text(script)
    both.mirror()


def left_of(both: Pair) -> list[str]:
    """What of a rehearsal is still there in the state of the standby."""
    return sorted(path.name for path in both.home(both.beta).iterdir() if path.name.startswith("rehearsal"))


def under_way(both: Pair) -> subprocess.Popen[str]:
    """A rehearsal whose probe waits, seen to run."""
    written(both, WAITS)
    typed = subprocess.Popen(
        [*both.beta.program, "--config", str(both.beta.config), "rehearse", "web", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    upper = both.home(both.beta) / "rehearsal.d" / "upper" / "running"

    def runs() -> bool:
        assert typed.poll() is None, typed.communicate()
        return upper.exists()

    eventually(runs)
    return typed


def test_the_probe_sees_the_standby(both: Pair) -> None:
    """It is content: what it said, its exit code and how long it took are answered and kept, and nothing is left of the view."""
    done = both.beta.json("rehearse", "web")
    assert (True, 0, "as it was", "") == (done["ok"], done["exit"], done["output"], done["reason"])
    commit = both.beta.look()["commit"]
    assert {"epoch": commit["epoch"], "seq": commit["seq"]} == done["commit"]
    assert done["rto_ms"] > 0
    both.beta.restart()
    kept = both.beta.look()["last_rehearsal"]
    assert (True, done["rto_ms"], "as it was") == (kept["ok"], kept["rto_ms"], kept["output"])
    assert [] == left_of(both)


def test_a_probe_that_is_not_content(both: Pair) -> None:
    """Exit code 1 with the probe's own code and words, a problem until one is content, and the standby goes on."""
    written(both, "echo no answer on port 80; exit 7\n")
    typed = both.beta.run("rehearse", "web", "--json")
    done = json.loads(typed.stdout)
    assert (1, False, 7) == (typed.returncode, done["ok"], done["exit"])
    problems = {one["code"]: one["message"] for one in both.beta.look()["problems"]}
    assert "it ended with exit code 7; it said: no answer on port 80" in problems["probe-failed"]
    written(both, "exit 0\n")
    assert both.beta.json("rehearse", "web")["ok"]
    assert [] == [one for one in both.beta.look()["problems"] if one["code"] == "probe-failed"]


def test_a_hostile_probe(both: Pair, tmp_path: Path) -> None:
    """No door is open: network, sockets and FIFOs of the machine, the service manager, the real path, the disk."""
    outside = REPOSITORY / f".probe-{secrets.token_hex(4)}"
    outside.mkdir()
    name = f"hikae-{secrets.token_hex(4)}"
    try:
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as by_path:
            by_path.bind(str(outside / "socket"))
            by_path.listen()
            os.mkfifo(outside / "fifo")
            reads = os.open(outside / "fifo", os.O_RDONLY | os.O_NONBLOCK)
            with socket.socket(socket.AF_UNIX) as abstract:
                abstract.bind(f"\0{name}")
                abstract.listen()
                arguments = (tcp.getsockname()[1], outside / "socket", outside / "fifo", name)
                said = _tried(both, arguments)
            os.close(reads)
    finally:
        for path in outside.iterdir():
            path.unlink()
        outside.rmdir()
    assert [f"tried {len(hostile_probe.DOORS)}"] == said.splitlines()
    assert ("as it was\n", "moved\n") == ((both.target / "content").read_text(), (both.target / "moved").read_text())
    assert both.beta.json("verify", "web", "--deep")["equal"]


def _tried(both: Pair, arguments: tuple[Any, ...]) -> str:
    words = [os.path.realpath(sys.executable), "-I", "./hostile.py", *map(str, arguments)]
    (both.source / "hostile.py").write_bytes(Path(hostile_probe.__file__).read_bytes())
    written(both, f"exec {shlex.join(words)}\n")
    return str(both.beta.json("rehearse", "web")["output"])


def test_receiving_goes_on_and_applying_stands_still(both: Pair) -> None:
    """While the probe runs, what is written is durable on the standby and not applied; both nodes say so; afterwards it is."""
    typed = under_way(both)
    (both.source / "later").write_text("later\n")
    both.alpha.json("wait", "web", "--durable")
    assert not (both.target / "later").exists()
    eventually(lambda: ["rehearsing"] * 2 == [one.look()["state"] for one in (both.alpha, both.beta)])
    twice = both.beta.run("rehearse", "web")
    assert (75, True) == (twice.returncode, "a rehearsal is under way already" in twice.stderr)
    repair = both.beta.run("verify", "web", "--repair")
    assert (75, True) == (repair.returncode, "a rehearsal is under way" in repair.stderr)
    both.beta.kill()
    typed.communicate()
    both.beta.start()
    both.beta.up()
    both.mirror()


def test_the_agent_is_killed(both: Pair) -> None:
    """With it ends the probe; the next start clears away, says that it was cut short, and applies."""
    typed = under_way(both)
    (both.source / "later").write_text("later\n")
    both.alpha.json("wait", "web", "--durable")
    both.beta.kill(signal.SIGKILL)
    typed.communicate()
    both.beta.start()
    both.beta.up()
    both.mirror()
    eventually(lambda: [] == left_of(both))

    def told() -> list[str]:
        return [one["code"] for one in both.beta.look()["problems"] if one["code"].startswith("rehears")]

    # Its record is gone a moment before.
    assert ["rehearsal-failed"] == eventually(told)


def test_a_promotion_goes_first(both: Pair) -> None:
    """A promotion ends the rehearsal that is under way, and then is what it always is."""
    typed = under_way(both)
    both.alpha.kill()
    done = both.beta.json("promote", "web", "--force", "--yes")
    assert "primary" == done["role"]
    _, said = typed.communicate()
    assert "something that goes first was typed" in said
    assert [] == left_of(both)


def test_a_deadline() -> None:
    """A probe that does not end is killed at its deadline, and what it said is kept."""
    with pair(
        '[dataset.hooks]\nprobe = ["sh", "-c", "echo begun; sleep 600"]\n[dataset.rehearse]\ntimeout = "10s"\n'
    ) as one:
        one.begin()
        settled(one)
        typed = one.beta.run("rehearse", "web", "--json")
    done = json.loads(typed.stdout)
    assert (1, None, "begun") == (typed.returncode, done["exit"], done["output"])
    assert "it did not end within 10 s and was killed" == done["reason"]


def test_no_probe_is_configured() -> None:
    """It is refused with what to write; so is it on the primary."""
    with pair() as one:
        one.begin()
        settled(one)
        refused, wrong = one.beta.run("rehearse", "web"), one.alpha.run("rehearse", "web")
    assert (3, True) == (refused.returncode, "probe: no probe is configured" in refused.stderr)
    assert (3, False) == (wrong.returncode, "Traceback" in wrong.stderr)


def test_a_probe_that_leaves_a_tree_without_end_stops_nothing(both: Pair) -> None:
    """It is cleared away however deep it is: else the record held the apply, and no promotion could be begun."""
    deep = "import os; [(os.mkdir('d'), os.chdir('d')) for _ in range(1500)]"
    written(both, f"exec {shlex.quote(sys.executable)} -c {shlex.quote(deep)}\n")
    assert both.beta.json("rehearse", "web")["ok"]
    assert [] == left_of(both)
    (both.source / "after").write_text("it goes on")
    both.mirror()
