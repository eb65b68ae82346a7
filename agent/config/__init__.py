"""The operator's configuration: TOML files → frozen :class:`Settings`.

::

    files ─read→ tables ─schema (pydantic)→ entries ─resolve (together)→ Settings
                   └────────────┴───────────────────┴→ mistakes, all at once → ConfigMistakes
"""

from __future__ import annotations

from agent.config.load import default_path, file_mistakes, load
from agent.config.mistakes import ConfigMistakes, Mistake
from agent.config.show import show
from agent.config.values import (
    Brake,
    ConsoleSettings,
    Dataset,
    Generations,
    HealthSettings,
    Hooks,
    Keep,
    Limit,
    Limits,
    NodeSettings,
    Peer,
    Settings,
    TlsSettings,
)

__all__ = [
    "Brake",
    "ConfigMistakes",
    "ConsoleSettings",
    "Dataset",
    "Generations",
    "HealthSettings",
    "Hooks",
    "Keep",
    "Limit",
    "Limits",
    "Mistake",
    "NodeSettings",
    "Peer",
    "Settings",
    "TlsSettings",
    "default_path",
    "file_mistakes",
    "load",
    "show",
]
