"""Do the services run, and will they after a reboot?"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.doctor.diagnosis import Condition, Diagnosis, good

AGENT_UNIT, WEB_UNIT = "hikae.service", "hikae-web.service"
_SYSTEMD = "/run/systemd/system"
_ASKED = ("LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload")
_ANSWERS_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class UnitFound:
    """What systemd says of one of our services; each "" where it says nothing."""

    name: str
    load: str = ""
    active: str = ""
    at_boot: str = ""
    outdated: bool = False


def look_at_units(asked: Sequence[str] = (AGENT_UNIT, WEB_UNIT)) -> tuple[UnitFound, ...]:
    """Ask systemd; nothing where it is not the service manager here."""
    if not os.path.isdir(_SYSTEMD):
        return ()
    return tuple(unit_found(name, _shown(name)) for name in asked)


def unit_found(name: str, said: Mapping[str, str]) -> UnitFound:
    """From the properties of ``systemctl show``. Pure."""
    load, active, at_boot, outdated = (said.get(one, "") for one in _ASKED)
    return UnitFound(name, load, active, at_boot, outdated == "yes")


def judge_units(units: Sequence[UnitFound]) -> Iterator[Diagnosis]:
    """Whether each service is there, runs and comes back. Pure."""
    for unit in units:
        yield from _judge_unit(unit)


def _judge_unit(unit: UnitFound) -> Iterator[Diagnosis]:
    name, short = "unit", unit.name.removesuffix(".service")
    if not unit.load:
        yield Diagnosis(name, Condition.UNKNOWN, f"systemd says nothing of {unit.name}", f"systemctl status {short}")
        return
    if unit.load == "not-found":
        message = f"{unit.name} is not installed: nothing starts it after a reboot"
        yield Diagnosis(name, Condition.WARNING, message, "install the units as the README says, under Start")
        return
    said = [*_judge_known(unit, name, short)]
    yield from said or [good(name, f"{unit.name} runs, and starts at boot")]


def _judge_known(unit: UnitFound, name: str, short: str) -> Iterator[Diagnosis]:
    if unit.load == "masked":
        message = f"{unit.name} is masked: it cannot be started"
        yield Diagnosis(name, Condition.ERROR, message, f"systemctl unmask {short}")
    elif unit.active == "failed":
        message = f"{unit.name} has failed, and is not started anew"
        yield Diagnosis(name, Condition.ERROR, message, f"journalctl -u {short} -n 50; systemctl restart {short}")
    elif unit.active not in ("active", "activating", "reloading"):
        message = f"{unit.name} does not run ({unit.active or 'inactive'})"
        yield Diagnosis(name, Condition.WARNING, message, f"systemctl start {short}")
    if unit.load == "loaded" and unit.at_boot == "disabled":
        message = f"{unit.name} does not start at boot"
        yield Diagnosis(name, Condition.WARNING, message, f"systemctl enable {short}")
    if unit.outdated:
        message = f"the file of {unit.name} was changed, and systemd goes by the one before"
        yield Diagnosis(name, Condition.WARNING, message, f"systemctl daemon-reload; systemctl restart {short}")


def _shown(unit: str) -> dict[str, str]:
    words = ("systemctl", "show", f"--property={','.join(_ASKED)}", "--", unit)
    try:
        found = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_ANSWERS_WITHIN, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.split("=", 1) for line in found.stdout.splitlines() if "=" in line)
