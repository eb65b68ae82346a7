"""Which datasets belong together, as the configuration says."""

from __future__ import annotations

from collections.abc import Sequence

from agent.config.values import Dataset, Settings


def datasets_of(settings: Settings, group: str) -> Sequence[Dataset]:
    """Those of a group that this node takes part in, in the order of the configuration."""
    return [one for one in settings.datasets if group and one.group == group]
