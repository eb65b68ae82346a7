"""What follows the changes of a dataset's device on this machine."""

from __future__ import annotations

from pathlib import Path

from agent.capture.device.opened import ReadsDevice
from agent.capture.device.opening import OpensTracker
from agent.config.values import Dataset
from agent.node.context import Surroundings
from agent.watch.blocks.choose import not_followed_any_more, tracker_of
from agent.watch.blocks.ports import BlockTracker

#: In the dataset's own directory: what was owed at a clean stop.
SAVED = "dirty.json"


def trackers_of(dataset: Dataset, around: Surroundings) -> OpensTracker:
    """Opens the tracker of the device that stands at the dataset's path."""
    state, saved = Path(around.settings.node.state_dir), around.home(dataset) / SAVED

    def opened(device: ReadsDevice) -> BlockTracker:
        return tracker_of(device.path, state, dataset.name, saved)

    return opened


def forget_tracker(dataset: Dataset, around: Surroundings) -> None:
    """This node becomes a standby of the device."""
    state, saved = Path(around.settings.node.state_dir), around.home(dataset) / SAVED
    not_followed_any_more(state, dataset.name, saved)
