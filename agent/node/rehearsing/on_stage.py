"""Runs a probe on the stage, which is executed beside the agent, in a transient unit where the service manager answers."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from agent.config.values import Settings
from agent.core.errors import CalledOff, HikaeError, Refused, TryAgain
from agent.fs.reserve import room_at
from agent.node.rehearsing.device_view import ShownDevice, clear_view, shown_device
from agent.roles.rehearsal import stage
from agent.roles.rehearsal.clearing import remove_tree
from agent.roles.rehearsal.stage import EXIT_FAILED, FAILED, ROOT, UPPER, WORK, StageRequest
from agent.roles.rehearsal.stage_units import UnitRequest
from agent.roles.rehearsal.steps import OPERATION
from agent.roles.rehearsal.unit_text import UnitProgram
from agent.steps.attended import Attended, AttendedProgram, attend
from agent.steps.hooks import attended_failure, shown_words
from agent.steps.transient import service_manager, unit_name

PROGRAM = stage.__file__
#: Of a dataset's state; gone between two rehearsals.
PLACE = "rehearsal.d"
_REQUEST = "request.json"
_UMASK = 0o022
#: Seconds within which what was killed lets go of its files.
_LETS_GO = 10.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What is run: the probe's words, its environment, and how long it may take, in seconds; ``path``: the standby's, a
    directory, or a device where ``is_device``; ``units``: whose programs are begun before, and are all of it where there are no
    words."""

    dataset: str
    path: str
    is_device: bool
    words: tuple[str, ...]
    environment: dict[str, str]
    timeout: float
    units: tuple[UnitProgram, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeEnd:
    """``exit``: None where it was killed at its deadline; ``failure``: why it is not content, None where it is."""

    exit: int | None
    failure: str | None
    said: str


class Stage:
    """The place of one dataset's rehearsals, below its state ``home``. ``manager``: tells by which words a unit is begun."""

    def __init__(
        self, home: Path, hidden: tuple[str, ...], manager: Callable[[], Sequence[str]] = service_manager
    ) -> None:
        self._place = home / PLACE
        self._hidden = hidden
        self._manager = manager

    def run(self, probe: Probe, is_ending: Callable[[], bool]) -> ProbeEnd:
        """Run the probe to its end. Raises ``Refused`` where an earlier process began to, ``CalledOff``, ``TryAgain`` where there
        can be no view."""
        try:
            self._place.mkdir(mode=0o700)
        except FileExistsError:
            reason = "the agent ended in the middle of it"
            raise TryAgain(OPERATION, probe.dataset, reason, f"type it again: hikae rehearse {probe.dataset}") from None
        for name in (ROOT, UPPER, WORK):
            (self._place / name).mkdir()
        if not probe.is_device:
            _as_the_root(probe.path, self._place / UPPER)
            return self._run(probe, None, is_ending)
        with shown_device(probe.path, self._place, is_ending) as device:
            return self._run(probe, device, is_ending)

    def _run(self, probe: Probe, device: ShownDevice | None, is_ending: Callable[[], bool]) -> ProbeEnd:
        request = self._place / _REQUEST
        request.write_text(json.dumps(self._request(probe, device)))
        manager = tuple(self._manager())
        unit = unit_name("rehearsal", probe.dataset, "probe")
        words = (sys.executable, "-I", "-S", "-B", PROGRAM, str(request))
        program = AttendedProgram(words, dict(os.environ), probe.timeout, "hikae-probe", unit, manager, tied=True)
        return self._judged(attend(program, is_ending), probe)

    def clear(self) -> None:
        """Nothing is left of it: what was mounted was so for the stage's processes alone. Raises ``TryAgain``."""
        clear_view(self._place)
        until = time.monotonic() + _LETS_GO
        while True:
            try:
                remove_tree(str(self._place))
                return
            except FileNotFoundError:
                return
            except OSError as error:
                if time.monotonic() >= until:
                    reason = f"{self._place}: {error.strerror or error}"
                    raise TryAgain("clear a rehearsal away", "", reason, "it is tried again by itself") from error
            time.sleep(0.1)

    def _request(self, probe: Probe, device: ShownDevice | None) -> StageRequest:
        own = os.path.realpath(probe.path)
        return {
            "path": own,
            "device": device.node if device is not None else "",
            "parts": list(device.parts) if device is not None else [],
            "place": str(self._place),
            "hidden": [one for one in self._hidden if os.path.commonpath((one, own)) != one],
            "units": [cast(UnitRequest, asdict(one)) for one in probe.units],
            "words": list(probe.words),
            "environment": probe.environment,
            "umask": _UMASK,
            "reserve": room_at(str(self._place)).reserve,
        }

    def _judged(self, found: Attended, probe: Probe) -> ProbeEnd:
        if found.ended:
            raise CalledOff(OPERATION, probe.dataset, "it is to end now", "type it again later")
        reason = ""
        with suppress(OSError):
            reason = (self._place / FAILED).read_text()
        if reason and found.code == EXIT_FAILED:
            remedy = "look at [dataset.hooks] probe; overlayfs is needed: modprobe overlay"
            raise HikaeError(OPERATION, probe.dataset, reason, remedy)
        failure = attended_failure(found, probe.words or tuple(one.name for one in probe.units), probe.timeout)
        if found.unstarted:
            raise Refused(OPERATION, probe.dataset, str(failure), "look at the journal")
        return ProbeEnd(found.code, failure, shown_words(found.said))


def hidden_places(settings: Settings) -> tuple[str, ...]:
    """What is nobody's business but the agent's: its state, its vaults, its keys and its socket."""
    found = [settings.node.state_dir, os.path.dirname(settings.node.admin_socket), os.path.dirname(settings.tls.key)]
    found += [one.vault for one in settings.datasets if one.vault]
    return tuple(sorted({os.path.realpath(one) for one in found}))


def _as_the_root(path: str, upper: Path) -> None:
    """The view's root has the upper side's owner and mode: those of the standby's."""
    st = os.stat(path)
    os.chown(upper, st.st_uid, st.st_gid)
    os.chmod(upper, st.st_mode & 0o7777)
