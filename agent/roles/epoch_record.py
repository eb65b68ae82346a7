"""The epoch record ``role.json``: which reign this node knows of for a dataset, durable before anything is done in it.

It stands apart from the catalog, so a primary whose catalog is gone still takes the next number, and no object id is used twice.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from pathlib import Path

from agent.core.errors import Damaged
from agent.core.ids import Epoch
from agent.fs.durable import write_durably

TOKEN_SIZE = 16


def read_epoch(path: Path) -> Epoch | None:
    """The recorded epoch, None when there is none yet. Raises ``Damaged``."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    with suppress(ValueError, KeyError, TypeError):
        found = json.loads(text)
        return Epoch(int(found["number"]), str(found["owner"]), bytes.fromhex(found["token"]))
    raise Damaged(
        "read the epoch record", str(path), "it is not what was written", f"look at it; if it is lost: rm {path}"
    )


def write_epoch(path: Path, epoch: Epoch) -> None:
    """Record an epoch durably."""
    text = json.dumps({"number": epoch.number, "owner": epoch.owner, "token": epoch.token.hex()})
    write_durably(str(path), text.encode() + b"\n")


def following(number: int, owner: str) -> Epoch:
    """A new reign of ``owner`` after epoch ``number``."""
    return Epoch(number + 1, owner, secrets.token_bytes(TOKEN_SIZE))
