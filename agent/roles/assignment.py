"""Who is the primary of a dataset, and who keeps a standby: the record's word, and before there is one the configuration's.

The configuration's ``primary`` only says who begins. What it names later is told to be in vain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.config.values import Dataset, Settings
from agent.core.errors import Damaged, Refused
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import PRIMARY_IGNORED
from agent.roles.record import ROLE, HandedOver, RoleRecord, read_record
from agent.status.state import Role


@dataclass(frozen=True, slots=True)
class Assignment:
    """``role``: this node's; ``primary`` and ``standbys`` by name. ``recorded``: a record says so; else the configuration;
    ``named``: whom that named when a command moved the role; ``handed_over``: to whom this node gave its place, by the record."""

    role: Role
    primary: str
    standbys: tuple[str, ...]
    recorded: bool
    named: str = ""
    handed_over: HandedOver | None = None

    @property
    def peers(self) -> tuple[str, ...]:
        """Whom this node has to do with: a primary with its standbys, a standby with its primary."""
        return self.standbys if self.role is Role.PRIMARY else (self.primary,)

    def ignores(self, dataset: Dataset) -> bool:
        """Whether the primary that the configuration names is another one, which moves nothing. The one that it named before a
        command moved the role is who began, as it says."""
        return self.recorded and dataset.primary not in (self.primary, self.named)


def assign(record: RoleRecord | None, dataset: Dataset, node: str, home: Path) -> Assignment:
    """What ``node`` is to the dataset. ``home``: where its state lies, for the way out.

    Raises ``Refused`` for the record of another node: a state directory was copied, or the node has another name now."""
    if record is None:
        role = Role.PRIMARY if dataset.primary == node else Role.STANDBY
        return Assignment(role, dataset.primary, dataset.standby, recorded=False)
    owner = record.epoch.owner
    if (record.role is Role.PRIMARY) is not (owner == node):
        raise _of_another_node(record, dataset, node, home)
    nodes = dict.fromkeys((dataset.primary, *dataset.standby))
    standbys = tuple(name for name in nodes if name != owner)
    return Assignment(record.role, owner, standbys, True, record.named, record.handed_over)


def told_ignored(assigned: Assignment, dataset: Dataset, now_ns: int) -> Problem:
    """The configuration names a primary that is none."""
    return Problem(
        PRIMARY_IGNORED, Severity.WARNING, now_ns, b"", ignored(assigned.primary, dataset), way_out(assigned, dataset)
    )


def ignored(primary: str, dataset: Dataset) -> str:
    """What is wrong with the file: a sentence."""
    named = f'primary = "{dataset.primary}" in the configuration of {dataset.name} changes nothing'
    return f"{named}: {primary} is its primary; a file says who begins, and commands move it from then on"


def way_out(assigned: Assignment, dataset: Dataset) -> str:
    """What to write for what is, and what to type for the primary that the file names."""
    name, to = dataset.name, dataset.primary
    others = ", ".join(f'"{one}"' for one in assigned.standbys)
    write = (
        f'write primary = "{assigned.primary}", standby = [{others}] into the files of all nodes, then: hikae reload'
    )
    return f"nothing is broken: {write}; or, if {to} is to be the primary: hikae switchover {name} --to {to}"


def ignored_primaries(settings: Settings) -> Iterator[str]:
    """For who checks a configuration beside the state of the node that it is of: a sentence for each dataset where they differ,
    or where that cannot be told."""
    for dataset in settings.datasets:
        home = settings.home(dataset.name)
        try:
            assigned = assign(read_record(home / ROLE), dataset, settings.node.name, home)
        except (Damaged, Refused) as error:
            yield f"dataset[{dataset.name}].primary: {error}"
        except OSError as error:
            why = error.strerror or str(error)
            yield f"dataset[{dataset.name}].primary: whether it is in force is not known: {home / ROLE}: {why}"
        else:
            if assigned.ignores(dataset):
                yield f"{ignored(assigned.primary, dataset)}; {way_out(assigned, dataset)}"


def _of_another_node(record: RoleRecord, dataset: Dataset, node: str, home: Path) -> Refused:
    owner = record.epoch.owner
    if record.role is Role.PRIMARY:
        reason = f"its state says that this node is the primary as {owner}, and this node is {node}"
    else:
        reason = f"its state is that of a standby of {owner}, and this node is {node} itself"
    remedy = (
        f'write name = "{owner}" below [node] if this is that node; or begin anew: stop the agent, mv {home} {home}.old'
    )
    if record.role is Role.STANDBY:
        remedy = f"put this node's own state back; or begin anew: stop the agent, mv {home} {home}.old, and start it"
    return Refused("open the dataset", dataset.name, reason, remedy)
