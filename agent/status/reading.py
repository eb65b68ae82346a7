"""The published state as it is read: by whoever may, as much as he may."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import TypeVar

from agent import __version__
from agent.core.errors import HikaeError, NotPermitted, TryAgain, Unreachable
from agent.status.figures import stamp
from agent.status.public import FULL, PUBLIC
from agent.status.published import SCHEMA, Json
from agent.status.text import shown

T = TypeVar("T")

#: A state that is older, in seconds, is that of an agent that is dead or hangs.
FRESH_SECONDS = 15.0


def read_state(directory: str, fresh: float = FRESH_SECONDS) -> Json:
    """What the agent published in ``directory``: with paths, where this user may read that.

    Raises ``Unreachable`` where there is nothing, or nothing that is fresh; ``NotPermitted``; ``HikaeError`` for what is no
    state."""
    try:
        return _read(os.path.join(directory, FULL), fresh)
    except (NotPermitted, Unreachable):
        return _read(os.path.join(directory, PUBLIC), fresh)


def require_known_schema(value: Json, subject: str) -> None:
    """Raises ``HikaeError`` for a state that a release published which this one does not understand."""
    if value.get("schema") != SCHEMA:
        raise _of_another_release(value, subject)


def understood(render: Callable[[Json], T], value: Json, subject: str) -> T:
    """What ``render`` makes of a state. Raises ``HikaeError`` where another release published it and left out, or changed, what
    this one needs."""
    try:
        return render(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if value.get("version") == __version__:
            raise
        raise _of_another_release(value, subject) from error


def _of_another_release(value: Json, subject: str) -> HikaeError:
    reason = f"the agent is hikae {shown(str(value.get('version')))}, and this command {__version__}"
    return HikaeError(
        "read the agent's state", subject, reason, "systemctl restart hikae, once both are of one release"
    )


def _read(path: str, fresh: float) -> Json:
    try:
        with open(path, "rb") as file:
            written = os.fstat(file.fileno())
            age = time.time() - written.st_mtime
            value = json.load(file)
    except FileNotFoundError as error:
        reason = "no agent is running"
        raise Unreachable("read the agent's state", path, reason, "systemctl status hikae") from error
    except PermissionError as error:
        raise NotPermitted("read the agent's state", path, "no permission", "use sudo") from error
    except OSError as error:
        raise TryAgain("read the agent's state", path, str(error.strerror or error)) from error
    except ValueError as error:
        remedy = "the agent writes it anew each second; if this stays: systemctl status hikae"
        raise TryAgain("read the agent's state", path, "the file is torn: it is no JSON", remedy) from error
    if not isinstance(value, dict) or not isinstance(value.get("datasets"), list):
        raise HikaeError("read the agent's state", path, "it is no state of this program", "is the command line newer?")
    require_known_schema(value, path)
    if abs(age) > fresh:
        # Ahead of the clock, which went back: an agent that lives says it anew within a second.
        reason = (
            f"it is {abs(age):,.0f} s {'old' if age > 0 else 'ahead of the clock'}: the agent is not running, or hangs"
        )
        raise Unreachable("read the agent's state", path, reason, "systemctl status hikae")
    # The file is written when something changed; that it still stands so is said by its time.
    value["clock"] = stamp(written.st_mtime_ns)
    return value
