"""Hooks in transient units: the attendant for real, the service manager by a program that only begins what it is told."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent.config.values import Hook, Hooks
from agent.core.errors import CalledOff
from agent.steps.attended import AttendedProgram, AttendLimits, attend
from agent.steps.hooks import HookLimits, HookPlace, HookResult, HookRunner
from agent.steps.transient import in_unit, unit_name

PLACE = HookPlace("web", "alpha", "primary", 3, "promote")
LIMITS = HookLimits(words=64, looks=0.01, between=0.01)
#: What stands for systemd-run: it executes what follows the options.
BEGINS = (sys.executable, "-c", "import os, sys; w = sys.argv[sys.argv.index('--') + 1 :]; os.execv(w[0], w)")
REFUSES = (sys.executable, "-c", "import sys; sys.exit('Failed to start transient service unit: no room')")


def run(script: str, manager: tuple[str, ...] = BEGINS, *, ends: bool = False, **more: Any) -> HookResult:
    """How a start hook ended that goes on."""
    hooks = Hooks(start=Hook((sys.executable, "-c", script, "$HOME %n"), on_failure="go-on", **more))
    return HookRunner(lambda: ends, LIMITS, lambda: manager).run(hooks, "start", PLACE)


def test_words_and_environment() -> None:
    """A hook in a unit gets its words as they are, the environment, and nothing to read."""
    found = run("import os, sys; print(sys.argv[1], os.environ['HIKAE_DATASET'], repr(sys.stdin.read()))")
    assert (None, "$HOME %n web ''") == (found.failure, found.said)


def test_exit_code_and_last_words() -> None:
    """A hook that fails in a unit is a failed hook with its exit code, of megabytes only the last words are kept."""
    found = run("print('x' * 3_000_000); print('gone'); raise SystemExit(7)")
    assert ("it ended with exit code 7", True) == (found.failure, found.said.endswith("x\ngone"))


def test_a_signal() -> None:
    """A hook that was killed in its unit is told by its signal."""
    found = run("import os; os.kill(os.getpid(), 9)")
    assert "it was ended by signal 9" == found.failure


def test_a_unit_that_is_refused() -> None:
    """A unit that the service manager did not begin is a failed hook with its sentence, and the hook does not run without one."""
    found = run("print('ran')", REFUSES)
    assert found.failure is not None
    assert (True, "") == (found.failure.endswith("Failed to start transient service unit: no room)"), found.said)


def test_a_manager_that_is_gone() -> None:
    """A service manager that cannot be asked is a failed hook."""
    assert "/no/such cannot be run (No such file or directory)" == run("print(1)", ("/no/such",)).failure


def test_a_missing_program() -> None:
    """A program that is not there is told as such from within the unit."""
    hooks = Hooks(start=Hook(("/no/such/program",), on_failure="go-on"))
    found = HookRunner(lambda: False, LIMITS, lambda: BEGINS).run(hooks, "start", PLACE)
    assert '"/no/such/program" cannot be run (No such file or directory)' == found.failure


def test_deadline() -> None:
    """At its deadline a hook in a unit is killed, and what it had said is kept."""
    found = run("import time; print('begun', flush=True); time.sleep(600)", timeout=1)
    assert ("it did not end within 1 s and was killed", "begun") == (found.failure, found.said)


def test_the_agent_ends() -> None:
    """A hook that runs in a unit while the agent stops is ended, and whoever asked for it is told so."""
    with pytest.raises(CalledOff):
        run("import time; time.sleep(600)", ends=True)


def test_a_child_goes_on(tmp_path: Path) -> None:
    """What a start hook leaves running is not waited for and not killed, though it holds the hook's output."""
    script = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
"""
    found = run(script)
    child = int((tmp_path / "pid").read_text())
    os.kill(child, signal.SIGKILL)
    assert None is found.failure


@pytest.mark.parametrize("tied", [True, False])
def test_the_agent_is_killed(tmp_path: Path, *, tied: bool) -> None:
    """The end of who asked ends at once what is tied to it, and what is not at its own deadline."""
    script = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    told = tmp_path / "pid"
    program = AttendedProgram(
        (sys.executable, "-c", script, str(told)), dict(os.environ), 600 if tied else 3, "t", tied=tied
    )
    asks = f"""
from agent.steps.attended import *
attend({program!r}, lambda: False)
"""
    agent = subprocess.Popen([sys.executable, "-c", asks])
    while not (told.exists() and told.read_text()):
        assert agent.poll() is None
        time.sleep(0.01)
    watched = os.pidfd_open(int(told.read_text()))
    agent.kill()
    agent.wait()
    assert [watched] == select.select([watched], (), (), 60)[0]
    os.close(watched)


def test_an_end_is_wished() -> None:
    """A program whose caller wants an end is killed and told as ended, not as late."""
    program = AttendedProgram((sys.executable, "-c", "import time; time.sleep(600)"), dict(os.environ), 600, "t")
    found = attend(program, lambda: True, AttendLimits(looks=0.01))
    assert (True, False, None) == (found.ended, found.late, found.code)


def test_what_begins_a_unit() -> None:
    """A unit is collected, bounded by the service manager too, and what it leaves running on purpose goes on."""
    words = in_unit(("systemd-run",), "u.service", "100%", 12.4, ("/bin/true", "a"))
    assert ["systemd-run", "--quiet", "--collect", "--wait", "--pipe", "--unit=u.service"] == words[:6]
    assert ["--description=100%%", "--property=Type=exec", "--property=KillMode=process"] == words[6:9]
    assert ["--property=RuntimeMaxSec=12", "--", "/bin/true", "a"] == words[9:]


def test_names_of_units() -> None:
    """A unit's name says whose it is, holds nothing that would have to be quoted, and is nobody else's."""
    first, second = (unit_name("hook", "web/ü x", "stop") for _ in range(2))
    assert (True, False) == (first.startswith("hikae-hook-web___x-stop-"), first == second)
