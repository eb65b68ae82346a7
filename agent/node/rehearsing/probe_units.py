"""The service units of a probe, as the service manager of this node has them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence

from agent.core.errors import NotFound, Refused
from agent.roles.rehearsal.steps import OPERATION
from agent.roles.rehearsal.unit_text import NotOnAStage, UnitProgram, unit_program

#: There where systemd is the service manager (sd_booted(3)).
_SYSTEMD = "/run/systemd/system"
_WITHIN = 10.0


def unit_programs(names: Sequence[str], text_of: Callable[[str], str]) -> tuple[UnitProgram, ...]:
    """What the units begin. ``text_of``: see :func:`unit_text`. Raises ``Refused``, ``NotFound``."""
    return tuple(_program(name, text_of(name)) for name in names)


def unit_text(name: str, systemd: str = _SYSTEMD) -> str:
    """The unit's file and its drop-ins, as systemd reads them. Raises ``Refused`` where there is no ``systemd``, ``NotFound``."""
    if not os.path.isdir(systemd) or shutil.which("systemctl") is None:
        reason = "systemd does not run here, and who else knows its units?"
        raise Refused(OPERATION, name, reason, 'write probe = ["PROGRAM", "ARGUMENT"] below [dataset.hooks]')
    asked = ("systemctl", "cat", "--no-pager", "--", name)
    try:
        found = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_WITHIN)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(OPERATION, name, f"systemctl does not answer: {error}", "systemctl status") from error
    if found.returncode != 0:
        said = found.stderr.decode(errors="replace").strip() or f"systemctl cat ended with {found.returncode}"
        raise NotFound(OPERATION, name, said, f"systemctl cat {name}; install it on this node, too")
    return found.stdout.decode(errors="replace")


def _program(name: str, text: str) -> UnitProgram:
    try:
        return unit_program(name, text)
    except NotOnAStage as error:
        remedy = "write a program of its own for it: probe = { run = [...] }"
        raise Refused(OPERATION, name, f"it cannot be begun on a stage: {error}", remedy) from error
