"""The role record ``role.json``: what this node is to a dataset, and in whose reign. It is durable before anything is done in it.

It stands apart from the catalog, so a primary whose catalog is gone still takes the next number, and no object id is used twice.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.core.errors import Damaged
from agent.core.ids import Epoch
from agent.fs.durable import write_durably
from agent.status.state import Role

ROLE = "role.json"
TOKEN_SIZE = 16
_VERSION = 2
_RECORDED = (Role.PRIMARY, Role.STANDBY)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """That this node gave its place up, at ``since`` (UTC ns): to the node ``to``, which is to reign in epoch ``number``. Nothing
    serves here from then on."""

    to: str
    number: int
    since: int


@dataclass(frozen=True, slots=True)
class RoleRecord:
    """``role``: primary or standby; the owner of ``epoch`` is the primary. ``begun``: on a primary, whether its catalog has the
    epoch; one that was begun is never begun again, one that was not is; on a standby False where it drew the epoch itself, for
    who is to take over, and has not heard from it. ``handed_over``: to whom this node gave its place up;
    ``confirmed``: that it is the primary was said by its peers, or by an operator, at least once; ``named``: the primary that the
    configuration named when a command moved the role, "" while none did."""

    role: Role
    epoch: Epoch
    begun: bool = True
    handed_over: HandedOver | None = None
    confirmed: bool = True
    named: str = ""


def read_record(path: Path) -> RoleRecord | None:
    """The record, None when there is none yet. Raises ``Damaged`` for one that is torn or of another release, ``OSError``."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(found, dict):
        raise _damaged(path)
    if found.get("version") != _VERSION:
        raise _of_another_release(path)
    with suppress(ValueError, KeyError, TypeError):
        return _record(found)
    raise _damaged(path)


def write_record(path: Path, record: RoleRecord) -> None:
    """Replace the record durably. Raises ``OSError``; the old one stands then."""
    epoch = record.epoch
    found: dict[str, Any] = {
        "version": _VERSION,
        "role": record.role.value,
        "number": epoch.number,
        "owner": epoch.owner,
        "token": epoch.token.hex(),
        "begun": record.begun,
        "confirmed": record.confirmed,
        "named": record.named,
    }
    if record.handed_over is not None:
        found["handed_over"] = asdict(record.handed_over)
    write_durably(str(path), json.dumps(found).encode() + b"\n")


def following(number: int, owner: str) -> Epoch:
    """A new reign of ``owner`` after epoch ``number``."""
    return Epoch(number + 1, owner, secrets.token_bytes(TOKEN_SIZE))


def keeps_with(record: RoleRecord | None, met: Epoch) -> bool:
    """Whether the record of a standby is to be replaced by the reign ``met``, which its primary proved: a standby goes from reign
    to reign with the same primary. Another primary is no reign to go to, and who is to be the primary stays so."""
    if record is None:
        return True
    same = record.role is Role.STANDBY and record.epoch.owner == met.owner
    return same and record.epoch.number < met.number


def _record(found: dict[str, Any]) -> RoleRecord:
    """Raises ``ValueError``, ``KeyError`` or ``TypeError`` for what nobody wrote."""
    role, epoch = Role(found["role"]), Epoch(found["number"], found["owner"], bytes.fromhex(found["token"]))
    sound = role in _RECORDED and type(epoch.number) is int and isinstance(epoch.owner, str)
    if not sound or epoch.number < 1 or not epoch.owner or len(epoch.token) != TOKEN_SIZE:
        raise ValueError(found)
    if not isinstance(found["begun"], bool):
        raise ValueError(found)
    confirmed = found.get("confirmed") is not False
    named = str(found.get("named", ""))
    return RoleRecord(role, epoch, found["begun"], _handed_over(found.get("handed_over")), confirmed, named)


def _handed_over(found: Any) -> HandedOver | None:
    """Raises as :func:`_record` does."""
    if found is None:
        return None
    to, number, since = found["to"], found["number"], found["since"]
    if not isinstance(to, str) or not to or type(number) is not int or number < 1 or type(since) is not int:
        raise ValueError(found)
    return HandedOver(to, number, since)


def _damaged(path: Path) -> Damaged:
    remedy = f"look at it; the catalog beside it knows who reigned, so if it is lost: rm {path}"
    return Damaged("read the role record", str(path), "it is not what was written", remedy)


def _of_another_release(path: Path) -> Damaged:
    remedy = f"begin anew: stop the agent, mv {path.parent} {path.parent}.old, and start it"
    return Damaged("read the role record", str(path), "it is of another release of hikae", remedy)
