"""Roles given to nodes by their records alone, as a change of role will write them."""

from __future__ import annotations

from pathlib import Path

from agent.core.ids import Epoch
from agent.roles.record import ROLE, RoleRecord, write_record
from agent.status.state import Role


def reign(number: int, owner: str) -> Epoch:
    """The epoch ``number`` of ``owner``, the same for every node that is told of it."""
    return Epoch(number, owner, f"{number} of {owner}".ljust(16).encode()[:16])


def make_primary(home: Path, epoch: Epoch) -> None:
    """From its next start on the owner of ``epoch``, whose state this is, reigns in it."""
    write_record(home / ROLE, RoleRecord(Role.PRIMARY, epoch, begun=False))


def make_standby(home: Path, epoch: Epoch) -> None:
    """From its next start on this node is a standby in the reign of ``epoch``'s owner."""
    write_record(home / ROLE, RoleRecord(Role.STANDBY, epoch))
