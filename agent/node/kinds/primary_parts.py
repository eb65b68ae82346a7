"""What a primary is made of, whatever its dataset is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from agent.apply.ports import LeftOut
from agent.capture.access.standstill import Standstill
from agent.config.values import Dataset
from agent.core.commit import Quiesced
from agent.node.reigning.captures import Captures
from agent.node.reigning.primary_source import PrimarySource
from agent.node.reigning.root_watch import FollowsSource
from agent.store.catalog.expiring.expiry import Horizons


@dataclass(frozen=True, slots=True)
class PrimaryParts:
    """``make_source``: for each call, for its thread; ``why_not_still``: why no moment can be captured, None where one can;
    ``always_still``: each commit is of one; ``snapshot``: asks for a moment that the filesystem keeps, None where nothing can;
    see ``Pump.snapshot``."""

    pump: Captures
    watch: FollowsSource
    make_source: Callable[[], PrimarySource]
    why_not_still: Callable[[], str | None]
    always_still: bool = False
    snapshot: Callable[[Quiesced], Standstill] | None = None


@dataclass(frozen=True, slots=True)
class OwnerCalls:
    """What capture calls the primary for, see ``PumpCalls``. ``dataset``: as it is configured now; ``go_back``: by the pump's
    thread, before anything is looked at, told what is left out."""

    dataset: Callable[[], Dataset]
    failed: Callable[[Exception], None]
    horizons: Callable[[], Horizons]
    require_room: Callable[[int], None]
    go_back: Callable[[LeftOut, threading.Event], None]
