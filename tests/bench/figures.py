"""From what was measured to a row of the table: medians, ratios by pairs, verdicts. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Unit(Enum):
    """What a row's figures count."""

    SECONDS = "s"
    BYTES = "B"
    RATE = "B/s"
    CORE = "%"


@dataclass(frozen=True, slots=True)
class Spec:
    """A row before it is measured.

    ``work``: what is done, in words; ``peer_name``: what it is measured beside, "" for nothing. ``limit`` and ``aim`` hold the
    ratio, or our own figure where ``of`` says so; ``better`` says on which side of them is good."""

    name: str
    work: str
    peer_name: str
    unit: Unit = Unit.SECONDS
    limit: float | None = None
    aim: float | None = None
    better: Literal["lower", "higher"] = "lower"
    of: Literal["ratio", "ours"] = "ratio"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table. ``ours``, ``peer``: in the unit of ``spec``; ``reason``: why something is missing."""

    spec: Spec
    ours: float | None = None
    peer: float | None = None
    ratio: float | None = None
    holds: bool | None = None
    reason: str = ""


def paired(spec: Spec, ours: Sequence[float], peers: Sequence[float]) -> Row:
    """Runs made in pairs: the medians of both, and the median of the pairs' ratios. Raises ``ValueError`` unless as many."""
    ratio = statistics.median(a / b for a, b in zip(ours, peers, strict=True))
    return _judged(Row(spec, statistics.median(ours), statistics.median(peers), ratio))


def alone(spec: Spec, ours: Sequence[float], peers: Sequence[float] = ()) -> Row:
    """Runs whose own figure the limit holds; ``peers`` is shown beside it, without a ratio."""
    return _judged(Row(spec, statistics.median(ours), statistics.median(peers) if peers else None))


def unmeasured(spec: Spec, reason: str, ours: Sequence[float] = ()) -> Row:
    """A row that could not be measured, and why; ``ours``: our part of it, where that could."""
    return Row(spec, statistics.median(ours) if ours else None, reason=" ".join(reason.split()))


def percentile(values: Sequence[float], part: float) -> float:
    """The nearest-rank percentile, ``part`` from 0 (not included) to 1. Raises ``ValueError`` for no values."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def within(figure: float, limit: float, better: Literal["lower", "higher"]) -> bool:
    """Whether a figure reaches a limit."""
    return figure <= limit if better == "lower" else figure >= limit


def _judged(row: Row) -> Row:
    spec = row.spec
    figure = row.ratio if spec.of == "ratio" else row.ours
    holds = None if spec.limit is None or figure is None else within(figure, spec.limit, spec.better)
    return Row(spec, row.ours, row.peer, row.ratio, holds)
