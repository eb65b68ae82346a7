"""Programs of the operator's: one is run, bounded in time and in words, and what it said is kept.

It is executed and never forked (a fork of a process that runs gRPC is none that works), in a session of its own, as a list of
words that no shell reads. It inherits no descriptor but its two ends: nothing to read, and a pipe for what it says. Where the
service manager answers, it runs in a transient unit of its own, outside of the agent's sandbox.
"""

from __future__ import annotations

import os
import secrets
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from agent.config.units import printable, shown_value
from agent.config.values import Hook, Hooks
from agent.core.errors import CalledOff, HikaeError
from agent.steps.attended import Attended, AttendedProgram, AttendLimits, attend
from agent.steps.session import kill_all
from agent.steps.transient import service_manager, unit_name

#: What the service manager tells the agent is not for programs that the agent runs.
_OURS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "MAINPID")
_MARK = "HIKAE_HOOK"
#: Not the agent's own, which keeps everything to itself.
_UMASK = 0o022
_ONE_READ = 65_536
#: Characters of a reason that a program is told.
_REASON = 1024


@dataclass(frozen=True, slots=True)
class HookLimits:
    """``words``: bytes of what a program says that are kept, the last ones. ``looks``: seconds after which a caller that wants
    an end of it is heard. ``between``: seconds from a failure to the next try."""

    words: int = 4096
    looks: float = 0.25
    between: float = 1.0


@dataclass(frozen=True, slots=True)
class HookPlace:
    """What a program is told of where it runs: its environment beside the agent's own."""

    dataset: str
    node: str
    role: str
    epoch: int
    reason: str

    def environment(self) -> dict[str, str]:
        """``HIKAE_DATASET``, ``HIKAE_NODE``, ``HIKAE_ROLE``, ``HIKAE_EPOCH``, ``HIKAE_REASON``."""
        return {
            "HIKAE_DATASET": self.dataset,
            "HIKAE_NODE": self.node,
            "HIKAE_ROLE": self.role,
            "HIKAE_EPOCH": str(self.epoch),
            # Another node may have said it: one line, which neither a terminal nor a log obeys, and no more than a line.
            "HIKAE_REASON": printable(self.reason[:_REASON]),
        }


@dataclass(frozen=True, slots=True)
class HookResult:
    """How a hook ended. ``failure``: why it counts as failed, None where it did what it should; ``said``: the last words of its
    last try; ``tries``: 0 where there was nothing to run; ``seconds``: of all tries together."""

    name: str
    failure: str | None
    said: str
    tries: int
    seconds: float

    def sentence(self) -> str:
        """One line for people: how it ended, and its last words."""
        if not self.tries:
            return f"{self.name}: {self.said or 'nothing to do'}"
        ended = self.failure or f"done in {self.seconds:.1f} s"
        tried = f" (tried {self.tries} times)" if self.tries > 1 else ""
        last = self.said.rstrip().rpartition("\n")[2]
        return f"{self.name}: {ended}{tried}" + (f"; it said: {last}" if last else "")


def not_run(name: str, why: str) -> HookResult:
    """The result of a hook that must not be run now."""
    return HookResult(name, None, f"not run: {why}", 0, 0.0)


class HookFailed(HikaeError):
    """A hook did not do what it should, and its ``on_failure`` is ``abort``. ``result`` is how it ended."""

    def __init__(self, result: HookResult, dataset: str, command: str) -> None:
        last = result.said.rstrip().rpartition("\n")[2]
        said = f"; it said: {last}" if last else ""
        remedy = f"run {command} by hand to see why, or look at [dataset.hooks] {result.name}"
        super().__init__(f"run the {result.name} hook", dataset, f"{result.failure}{said}", remedy)
        self.result = result


class HookRunner:
    """Runs the hooks of one dataset, in the caller's thread. ``is_ending``: whether the caller wants an end of it; a program that
    runs then is killed with all that it began. ``manager``: tells by which words a transient unit is begun, none: by none."""

    def __init__(
        self,
        is_ending: Callable[[], bool],
        limits: HookLimits = HookLimits(),
        manager: Callable[[], Sequence[str]] = service_manager,
    ) -> None:
        self._is_ending = is_ending
        self._limits = limits
        self._manager = manager

    def run(self, hooks: Hooks, name: str, place: HookPlace) -> HookResult:
        """Run the hook of this name (``stop``), if there is one; what is wrong with it stands in the result.

        Raises ``HookFailed`` when it failed and is to ``abort``, ``CalledOff`` when the caller wanted an end."""
        hook: Hook | None = getattr(hooks, name)
        if hook is None or not hook.run:
            return HookResult(name, None, "", 0, 0.0)
        result = self._tries(hook, name, place, hook.timeout or hooks.timeout)
        if result.failure is not None and hook.on_failure == "abort":
            raise HookFailed(result, place.dataset, shlex.join(hook.run))
        return result

    def _tries(self, hook: Hook, name: str, place: HookPlace, timeout: float) -> HookResult:
        began = time.monotonic()
        manager = tuple(self._manager())
        failure: str | None = None
        said, tries = "", 0
        for tries in range(1, hook.retries + 2):
            if manager:
                failure, said = self._try_in_unit(manager, hook.run, name, place, timeout=timeout)
            else:
                failure, said = self._try(hook.run, place, timeout)
            if failure is None or tries > hook.retries:
                break
            self._pause(name, place)
        return HookResult(name, failure, said, tries, time.monotonic() - began)

    def _pause(self, name: str, place: HookPlace) -> None:
        until = time.monotonic() + self._limits.between
        while (left := until - time.monotonic()) > 0:
            if self._is_ending():
                raise _called_off(name, place.dataset)
            select.select((), (), (), min(left, self._limits.looks))

    def _try_in_unit(
        self, manager: tuple[str, ...], words: tuple[str, ...], name: str, place: HookPlace, *, timeout: float
    ) -> tuple[str | None, str]:
        """As :meth:`_try`, in a transient unit. One that could not be begun is a failure, and is not run without it."""
        program = AttendedProgram(
            words,
            hook_environment(place),
            timeout,
            tag=f"hikae-{name}",
            unit=unit_name("hook", place.dataset, name),
            manager=manager,
        )
        limits = AttendLimits(looks=self._limits.looks, kept=self._limits.words, umask=_UMASK)
        try:
            found = attend(program, self._is_ending, limits)
        except OSError as error:
            return f"{manager[0]} cannot be run ({error.strerror or error})", ""
        if found.ended:
            raise _called_off(name, place.dataset)
        return attended_failure(found, words, timeout), shown_words(found.said)

    def _try(self, words: tuple[str, ...], place: HookPlace, timeout: float) -> tuple[str | None, str]:
        """One run: why it failed, if it did, and its last words."""
        mark = secrets.token_hex(8)
        environment = {**hook_environment(place), _MARK: mark}
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environment,
                umask=_UMASK,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return _unstarted(words, getattr(error, "strerror", None) or str(error)), ""
        with process:
            return self._attend(process, f"{_MARK}={mark}".encode(), place.dataset, timeout=timeout)

    def _attend(
        self, process: subprocess.Popen[bytes], mark: bytes, dataset: str, *, timeout: float
    ) -> tuple[str | None, str]:
        """Hear a program until it ends. A child that holds the pipe and goes on, as a service does, is not waited for; at the
        deadline nothing of it is left."""
        assert process.stdout is not None
        tail = _Tail(process.stdout, self._limits.words)
        deadline = time.monotonic() + timeout
        while not _ended(process):
            left = deadline - time.monotonic()
            if left <= 0 or self._is_ending():
                kill_all(process.pid, mark)
                process.wait()
                if left > 0:
                    raise _called_off("hook", dataset)
                return _late(timeout), tail.text()
            tail.hear(process, min(left, self._limits.looks))
        code = process.wait()
        return _failure(code), tail.text()


def hook_environment(place: HookPlace) -> dict[str, str]:
    """The agent's own environment, without what is between it and the service manager, and what a program is told."""
    environment = {key: value for key, value in os.environ.items() if key not in _OURS}
    return {**environment, **place.environment()}


def attended_failure(found: Attended, words: Sequence[str], timeout: float) -> str | None:
    """Why a program counts as failed that was attended to; None where it did what it should."""
    if found.unstarted:
        return _unstarted(words, found.unstarted)
    if found.code is None:
        return _late(timeout)
    return _failure(found.code)


def shown_words(said: bytes) -> str:
    """What a program said, with nothing that a terminal would obey."""
    return "\n".join(map(printable, said.decode(errors="replace").splitlines()))


class _Tail:
    """The last bytes of what a program says."""

    def __init__(self, pipe: IO[bytes], most: int) -> None:
        self._fd = pipe.fileno()
        self._most = most
        self._kept = b""
        self._open = True
        os.set_blocking(self._fd, False)

    def hear(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        """Wait until it says something or ends, at most ``timeout`` seconds."""
        ends = os.pidfd_open(process.pid)
        try:
            ready, _, _ = select.select([ends, *([self._fd] if self._open else [])], (), (), timeout)
        finally:
            os.close(ends)
        if self._fd in ready:
            self._read()

    def text(self) -> str:
        """What was said last, with nothing that a terminal would obey. A child that goes on talking is heard only so far."""
        for _ in range(self._most // 4096 + 16):
            if not self._open or not self._read():
                break
        return shown_words(self._kept)

    def _read(self) -> bool:
        try:
            found = os.read(self._fd, _ONE_READ)
        except BlockingIOError:
            return False
        self._open = bool(found)
        self._kept = (self._kept + found)[-self._most :]
        return self._open


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended; it stays unwaited for, so that its number stays its own."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _failure(code: int) -> str | None:
    if code == 0:
        return None
    return f"it ended with exit code {code}" if code > 0 else f"it was ended by signal {-code}"


def _unstarted(words: Sequence[str], reason: str) -> str:
    return f"{shown_value(words[0])} cannot be run ({reason})"


def _late(timeout: float) -> str:
    return f"it did not end within {timeout:g} s and was killed"


def _called_off(name: str, dataset: str) -> CalledOff:
    return CalledOff(f"run the {name} hook", dataset, "the agent stops", "it is run again when the agent is back")
