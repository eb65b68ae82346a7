"""All that is looked at on this host, in one go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from agent.config.values import Settings
from agent.core.clock import Clock
from agent.doctor.certified import judge_certificates, look_at_certificates
from agent.doctor.configured import judge_configuration, look_at_configuration
from agent.doctor.devices import judge_devices, look_at_devices
from agent.doctor.diagnosis import Condition, Diagnosis, worst_first
from agent.doctor.kernel import judge_kernel, look_at_kernel
from agent.doctor.peers import judge_peers, look_at_peers
from agent.doctor.programs import judge_programs, look_at_programs
from agent.doctor.rights import judge_rights, look_at_rights
from agent.doctor.running_agent import judge_agent, look_at_agent
from agent.doctor.space import judge_places, look_at_places
from agent.doctor.timed import judge_clock, look_whether_kept
from agent.doctor.units import judge_units, look_at_units
from agent.status.public import FULL


@dataclass(frozen=True, slots=True)
class Examination:
    """``node``: this node's name, "" where the configuration does not say it; ``found``: worst first."""

    node: str
    found: tuple[Diagnosis, ...]

    @property
    def asks_for_somebody(self) -> int:
        """How many things have to be done."""
        return sum(1 for one in self.found if one.asks_for_somebody)


def examine(path: str, published: str, clock: Clock) -> Examination:
    """Look at this host. ``path``: of the configuration; ``published``: the directory in which the agent publishes.

    Changes nothing and raises nothing; takes some seconds for each peer that does not answer."""
    configured = look_at_configuration(path)
    found = [*judge_configuration(configured), *judge_clock(clock.now_ns(), look_whether_kept())]
    found += judge_units(look_at_units())
    found += judge_agent(look_at_agent(published))
    settings = configured.settings
    if settings is None:
        return Examination("", worst_first(found))
    return Examination(settings.node.name, worst_first([*found, *_of_settings(settings, _account(published), clock)]))


def _of_settings(settings: Settings, account: int, clock: Clock) -> Iterator[Diagnosis]:
    certified = look_at_certificates(settings, clock.now_ns())
    yield from judge_certificates(certified)
    yield from judge_rights(look_at_rights(settings), account)
    yield from judge_kernel(look_at_kernel(settings))
    yield from judge_devices(look_at_devices(settings))
    for dataset in settings.datasets:
        yield from judge_programs(look_at_programs(dataset))
        if not dataset.is_device:
            yield from _of_tree(dataset.name, dataset.path, primary=dataset.primary == settings.node.name)
    yield from judge_places(look_at_places(settings))
    yield from judge_peers(look_at_peers(settings, believed=not (certified.unreadable or certified.mistakes)))


def _account(published: str) -> int:
    """The user id as which the agent runs, read off what it published; this process's where it has published nothing."""
    try:
        return os.stat(os.path.join(published, FULL)).st_uid
    except OSError:
        return os.geteuid()


def _of_tree(dataset: str, path: str, *, primary: bool) -> Iterator[Diagnosis]:
    if primary and not os.path.isdir(path):
        message = f"{path} is not there, and this node is to begin as the primary of {dataset}"
        yield Diagnosis("tree", Condition.ERROR, message, "make or mount it, or correct its path", dataset)
