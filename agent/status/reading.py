"""The published state as it is read: by whoever may, as much as he may."""

from __future__ import annotations

import json
import os
import time

from agent.core.errors import HikaeError, NotPermitted, TryAgain, Unreachable
from agent.status.figures import stamp
from agent.status.public import FULL, PUBLIC
from agent.status.published import Json

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
    except (OSError, ValueError) as error:
        raise TryAgain("read the agent's state", path, str(error)) from error
    if not isinstance(value, dict) or not isinstance(value.get("datasets"), list):
        raise HikaeError("read the agent's state", path, "it is no state of this program", "is the command line newer?")
    if age > fresh:
        reason = f"it is {age:,.0f} s old: the agent is not running, or hangs"
        raise Unreachable("read the agent's state", path, reason, "systemctl status hikae")
    # The file is written when something changed; that it still stands so is said by its time.
    value["clock"] = stamp(written.st_mtime_ns)
    return value
