"""Transient units of the service manager: where they can be had, and the words that begin one.

A unit of its own has none of the sandbox that the agent's has: a hook may change its user, write where it likes and start what it
likes, and the agent still may not.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Sequence

#: There where systemd is the service manager (sd_booted(3)).
_SYSTEMD = "/run/systemd/system"
_SYSTEMD_RUN = "systemd-run"
#: What a unit may hold without being quoted, and how much of a name is enough.
_PLAIN = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST = 60
_ANSWERS_WITHIN = 10.0


def service_manager() -> tuple[str, ...]:
    """The words by which a transient unit is begun here; none where no service manager answers, or none that obeys us."""
    if os.geteuid() != 0 or not os.path.isdir(_SYSTEMD) or shutil.which(_SYSTEMD_RUN) is None:
        return ()
    asked = ("systemctl", "show", "--property=Version", "--value")
    try:
        found = subprocess.run(
            asked, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_ANSWERS_WITHIN
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return (_SYSTEMD_RUN,) if found.returncode == 0 and found.stdout.strip() else ()


def unit_name(kind: str, dataset: str, name: str) -> str:
    """``hikae-hook-web-stop-1a2b3c4d.service``: no two are the same."""
    plain = _PLAIN.sub("_", f"{kind}-{dataset}-{name}")[:_LONGEST]
    return f"hikae-{plain}-{secrets.token_hex(4)}.service"


def in_unit(manager: Sequence[str], unit: str, description: str, longest: float, words: Sequence[str]) -> list[str]:
    """The words that run ``words`` in a unit and end with it, joined to its three descriptors. ``longest``: seconds after which
    the service manager ends it, whoever still lives; what the program left running on purpose goes on after its end."""
    properties = ("Type=exec", "KillMode=process", f"RuntimeMaxSec={max(1, round(longest))}")
    return [
        *manager,
        "--quiet",
        "--collect",
        "--wait",
        "--pipe",
        f"--unit={unit}",
        f"--description={description.replace('%', '%%')}",
        *(f"--property={one}" for one in properties),
        "--",
        *words,
    ]
