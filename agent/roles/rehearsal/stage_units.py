"""Begins the programs of service units on the stage of a rehearsal, as their units say, before the probe's own program is run.

Standard library alone, and executed beside ``stage.py``, behind the same walls: in its namespaces, with its few privileges and
its filter of system calls. The service manager has no part in it, and learns nothing of it. All ends with the stage.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import select
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TypedDict

#: Seconds within which a unit is to be begun that says nothing of it; for which one must run that says nothing of being ready.
_BEGUN_WITHIN, _RUNS_FOR = 90.0, 1.0
_STEP = 0.05
_RUN = "/run"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
#: Who waits for these reads whether they serve; of all others it is enough that they run.
_SAYS_SO, _LEAVES_OTHERS, _ENDS = "notify", "forking", "oneshot"


class CommandRequest(TypedDict):
    """See ``unit_text.UnitCommand``."""

    words: list[str]
    shown: str
    may_fail: bool
    verbatim: bool


class UnitRequest(TypedDict):
    """See ``unit_text.UnitProgram``."""

    name: str
    kind: str
    before: list[CommandRequest]
    main: list[CommandRequest]
    after: list[CommandRequest]
    user: str
    group: str
    groups: list[str]
    directory: str
    environment: dict[str, str]
    files: list[tuple[str, bool]]
    umask: int
    directories: list[str]
    mode: int
    seconds: float | None


class UnitFailed(Exception):
    """A unit could not be begun on the stage, or does not run any more; the text is for the operator."""


def try_units(units: Sequence[UnitRequest], words: Sequence[str], environment: dict[str, str]) -> int:
    """Begin each unit, run the probe's program (none: see whether all still run), and return its exit code; 1 and a sentence
    where a unit fails."""
    try:
        begun = [_Unit(unit, environment) for unit in units]
        for unit in begun:
            unit.begin()
        code = subprocess.call(list(words), env=environment) if words else 0
        for unit in begun:
            unit.must_run()
    except (UnitFailed, OSError) as error:
        print(f"hikae: {error}", file=sys.stderr, flush=True)
        return 1
    return code if code >= 0 else 128 - code


class _Unit:
    """One unit on the stage."""

    def __init__(self, unit: UnitRequest, environment: dict[str, str]) -> None:
        self._unit = unit
        self._usual = environment
        self._until = 0.0
        self._main: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """As its kind has it. Raises ``UnitFailed``, ``OSError``."""
        unit = self._unit
        self._until = time.monotonic() + (unit["seconds"] or _BEGUN_WITHIN)
        environment = self._environment()
        self._make_directories()
        for command in unit["before"]:
            self._run(command, environment)
        if unit["kind"] == _ENDS:
            for command in unit["main"]:
                self._run(command, environment)
        else:
            self._begin_main(unit["main"][0], environment)
        for command in unit["after"]:
            self._run(command, environment)
        print(f"hikae: {unit['name']} is begun", file=sys.stderr, flush=True)

    def must_run(self) -> None:
        """Raises ``UnitFailed`` where its program has ended."""
        if self._main is not None and self._unit["kind"] != _LEAVES_OTHERS and self._main.poll() is not None:
            raise UnitFailed(f"{self._unit['name']} does not run any more: {_ended(self._main.returncode)}")

    def _begin_main(self, command: CommandRequest, environment: dict[str, str]) -> None:
        kind = self._unit["kind"]
        if kind == _LEAVES_OTHERS:
            self._run(command, environment)
            return
        if kind != _SAYS_SO:
            self._main = self._spawn(command, environment)
            self._wait_alive(time.monotonic() + _RUNS_FOR)
            return
        place = f"{_RUN}/hikae-notify-{os.getpid()}-{id(self)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(place)
            os.chmod(place, 0o666)  # noqa: S103 - whatever its user is; nobody else is on this stage
            self._main = self._spawn(command, {**environment, "NOTIFY_SOCKET": place})
            self._wait_ready(told)

    def _wait_alive(self, until: float) -> None:
        while time.monotonic() < until:
            self.must_run()
            time.sleep(_STEP)

    def _wait_ready(self, told: socket.socket) -> None:
        """Until it says ``READY=1`` (sd_notify(3))."""
        while time.monotonic() < self._until:
            if select.select([told], [], [], _STEP)[0] and b"READY=1" in told.recv(4096).split(b"\n"):
                return
            self.must_run()
        raise UnitFailed(f"{self._unit['name']} did not say within its time that it is ready")

    def _run(self, command: CommandRequest, environment: dict[str, str]) -> None:
        """A command that is to end."""
        begun = self._spawn(command, environment)
        try:
            code = begun.wait(max(0.0, self._until - time.monotonic()))
        except subprocess.TimeoutExpired:
            begun.kill()
            raise UnitFailed(f"{self._unit['name']}: {command['words'][0]} did not end within its time") from None
        if code and not command["may_fail"]:
            raise UnitFailed(f"{self._unit['name']}: {command['words'][0]}: {_ended(code)}")

    def _spawn(self, command: CommandRequest, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        unit = self._unit
        words = command["words"] if command["verbatim"] else expanded(command["words"], environment)
        user, group = _user(unit["user"]), _group(unit["group"])
        shown = [command["shown"] or words[0], *words[1:]]
        return subprocess.Popen(
            shown,
            executable=words[0],
            env=environment,
            cwd=_directory(unit["directory"], user),
            user=user.pw_uid if user else None,
            group=group if group is not None else (user.pw_gid if user else None),
            extra_groups=_groups(unit["groups"], user),
            umask=unit["umask"],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )

    def _environment(self) -> dict[str, str]:
        unit, user = self._unit, _user(self._unit["user"])
        found = {"PATH": self._usual.get("PATH", os.defpath), **unit["environment"]}
        if user is not None:
            found |= {"USER": user.pw_name, "LOGNAME": user.pw_name, "HOME": user.pw_dir, "SHELL": user.pw_shell}
        if unit["directories"]:
            found["RUNTIME_DIRECTORY"] = ":".join(f"{_RUN}/{one}" for one in unit["directories"])
        for path, may_be_missing in unit["files"]:
            try:
                with open(path) as file:
                    found |= variables_in(file.read())
            except FileNotFoundError:
                if not may_be_missing:
                    raise
        return found

    def _make_directories(self) -> None:
        user, group = _user(self._unit["user"]), _group(self._unit["group"])
        for name in self._unit["directories"]:
            path = f"{_RUN}/{name}"
            os.makedirs(path, exist_ok=True)
            if user is not None:
                os.chown(path, user.pw_uid, user.pw_gid if group is None else group)
            os.chmod(path, self._unit["mode"])


def expanded(words: Sequence[str], environment: dict[str, str]) -> list[str]:
    """With variables in them: ``${X}`` within a word, ``$X`` alone as words of its own; ``$$`` is a dollar."""
    found: list[str] = []
    for word in words:
        if len(word) > 1 and word[0] == "$" and word[1:].isidentifier():
            found += environment.get(word[1:], "").split()
        else:
            parts = word.split("$$")
            found.append("$".join(_VARIABLE.sub(lambda one: environment.get(one[1], ""), part) for part in parts))
    return found


def variables_in(text: str) -> dict[str, str]:
    """What a file of variables says (``EnvironmentFile=``)."""
    found: dict[str, str] = {}
    for line in text.replace("\\\n", "").splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            with suppress(ValueError):
                found[name.strip()] = " ".join(shlex.split(value)) if value[:1] in "\"'" else value.strip()
    return found


def _user(name: str) -> pwd.struct_passwd | None:
    """Raises ``UnitFailed``."""
    try:
        return None if not name else pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        raise UnitFailed(f"there is no user {name} on this node") from None


def _group(name: str) -> int | None:
    """Raises ``UnitFailed``."""
    try:
        return None if not name else int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise UnitFailed(f"there is no group {name} on this node") from None


def _groups(names: Sequence[str], user: pwd.struct_passwd | None) -> list[int] | None:
    if user is None and not names:
        return None
    found = os.getgrouplist(user.pw_name, user.pw_gid) if user is not None else []
    return [*found, *(one for one in map(_group, names) if one is not None)]


def _directory(given: str, user: pwd.struct_passwd | None) -> str:
    """Where it runs; ``~``: in its user's home, ``-``: in ``/`` where the directory is not there."""
    if given == "~":
        return user.pw_dir if user is not None else "/"
    if given.startswith("-"):
        return given[1:] if os.path.isdir(given[1:]) else "/"
    return given or "/"


def _ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
