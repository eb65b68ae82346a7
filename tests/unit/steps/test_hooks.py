"""Programs of the operator's: what they are told, what is kept of them, and that nothing of them is left at their deadline."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.values import Hook, Hooks
from agent.core.errors import CalledOff
from agent.steps.hooks import HookFailed, HookLimits, HookPlace, HookResult, HookRunner

PLACE = HookPlace("web", "alpha", "primary", 3, "generations take --offline")
LIMITS = HookLimits(words=64, looks=0.01, between=0.01)


def runner() -> HookRunner:
    """One that nobody ends."""
    return HookRunner(lambda: False, LIMITS)


def stop(script: str, **more: Any) -> Hooks:
    """A stop hook that is a script of Python."""
    return Hooks(stop=Hook((sys.executable, "-c", script), **more))


def run(script: str, **more: Any) -> HookResult:
    """How a stop hook ended that goes on."""
    return runner().run(stop(script, on_failure="go-on", **more), "stop", PLACE)


def test_environment() -> None:
    """A hook is told dataset, node, role, epoch and reason, and nothing that is between the agent and the service manager."""
    os.environ["NOTIFY_SOCKET"] = "/run/x"
    try:
        found = run("import os; print(*(os.environ.get(k) for k in ('HIKAE_DATASET', 'HIKAE_EPOCH', 'NOTIFY_SOCKET')))")
        named = run("import os; print(*(os.environ[k] for k in ('HIKAE_NODE', 'HIKAE_ROLE', 'HIKAE_REASON')))")
    finally:
        del os.environ["NOTIFY_SOCKET"]
    assert ("web 3 None", "alpha primary generations take --offline") == (found.said, named.said)


def test_a_reason_is_one_line() -> None:
    """Another node may have said it: nothing in it moves a cursor or forges a record, and it has an end."""
    place = replace(PLACE, reason="a\nb\x1b[2J\0" + "x" * 100_000)
    said = place.environment()["HIKAE_REASON"]
    assert ("a\\U0000000ab\\U0000001b[2J\\U00000000x", True) == (said[:36], len(said) < 2048)


def test_no_shell_and_no_descriptors() -> None:
    """Words reach the program as they are, and it has three descriptors, of which the first holds nothing."""
    script = "import os, sys; print(sys.argv[1], sorted(os.listdir('/proc/self/fd'))[:3], repr(sys.stdin.read()))"
    held = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(held, True)
    try:
        hooks = Hooks(stop=Hook((sys.executable, "-c", script, "$HOME; x > y")))
        result = runner().run(hooks, "stop", PLACE)
    finally:
        os.close(held)
    assert "$HOME; x > y ['0', '1', '2'] ''" == result.said


def test_nothing_to_do() -> None:
    """A hook that is not configured, or is "none", is no failure and no try."""
    nothing = HookResult("stop", None, "", 0, 0.0)
    assert [nothing, nothing] == [runner().run(hooks, "stop", PLACE) for hooks in (Hooks(), Hooks(stop=Hook(())))]
    assert "stop: nothing to do" == nothing.sentence()


def test_failure_aborts() -> None:
    """A hook that fails ends what asked for it, with its exit code and last words, and all that it is run with."""
    hooks = stop("print('no'); print('disk is gone'); raise SystemExit(7)")
    with pytest.raises(HookFailed) as caught:
        runner().run(hooks, "stop", PLACE)
    assert hooks.stop is not None
    assert f"run {shlex.join(hooks.stop.run)} by hand" in caught.value.remedy
    assert "cannot run the stop hook (web): it ended with exit code 7; it said: disk is gone" == caught.value.sentence


def test_failure_goes_on() -> None:
    """With ``go-on`` the failure stands in the result only; a signal is named."""
    result = run("import os; os.kill(os.getpid(), 15)")
    assert ("it was ended by signal 15", 1) == (result.failure, result.tries)


def test_retries(tmp_path: Path) -> None:
    """A hook is tried again as often as it says, and what succeeds at last is no failure."""
    count = (
        f"import pathlib; p = pathlib.Path({str(tmp_path / 'tries')!r}); n = len(p.read_bytes()) if p.exists() else 0"
    )
    script = f"{count}; p.write_bytes(b'x' * (n + 1)); raise SystemExit(n < 2)"
    assert (None, 3) == ((result := run(script, retries=5)).failure, result.tries)
    (tmp_path / "tries").unlink()
    assert ("it ended with exit code 1", 2) == ((result := run(script, retries=1)).failure, result.tries)


def test_no_program() -> None:
    """A program that is not there is a failure in words."""
    hooks = Hooks(stop=Hook(("/no/such/program",), on_failure="go-on"))
    result = runner().run(hooks, "stop", PLACE)
    assert 'stop: "/no/such/program" cannot be run (No such file or directory)' == result.sentence()


def test_words_are_bounded() -> None:
    """Of much output only the end is kept, without what a terminal would obey."""
    result = run("print('x' * 5_000_000); print('\\033[31mred')")
    assert ("\\U0000001b[31mred", True) == (result.said.splitlines()[-1], len(result.said) < 100)


def pids(folder: Path) -> Iterator[int]:
    """Processes that wrote their number into the folder."""
    return (int(path.name) for path in folder.iterdir())


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_deadline_leaves_nothing(tmp_path: Path) -> None:
    """At the deadline children are killed that hold the pipe, ignore signals, or made groups and sessions of their own."""
    script = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for act in (lambda: None, lambda: os.setpgid(0, 0), os.setsid):
    if os.fork() == 0:
        act()
        break
open({str(tmp_path)!r} + f"/{{os.getpid()}}", "w").close()
time.sleep(600)
"""
    result = run(script, timeout=3)
    found = list(pids(tmp_path))
    deadline = time.monotonic() + 30
    while any(map(is_alive, found)) and time.monotonic() < deadline:
        os.sched_yield()
    assert ("it did not end within 3 s and was killed", []) == (result.failure, list(filter(is_alive, found)))
    assert 4 == len(found)


def test_what_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    """A service that a hook started goes on, although it holds the hook's pipe, and the hook is over."""
    script = f"""
import os, time
child = os.fork()
if child == 0:
    os.setsid()
    time.sleep(600)
open({str(tmp_path)!r} + f"/{{child}}", "w").close()
print("started")
"""
    result = run(script)
    (child,) = pids(tmp_path)
    try:
        assert (None, "started", True) == (result.failure, result.said, is_alive(child))
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_agent_ends() -> None:
    """A hook that runs while the agent stops is killed, and whoever asked for it is told so."""
    with pytest.raises(CalledOff):
        HookRunner(lambda: True, LIMITS).run(stop("import time; time.sleep(600)"), "stop", PLACE)
