"""Configuration files that tests write, and what is found wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import ConfigMistakes, load

NODE = '[node]\nname = "alpha"\n'


PEER = '[[peer]]\nname = "beta"\naddress = "beta.example:7440"\n'


WEB = '[[dataset]]\nname = "web"\npath = "/srv/web"\nprimary = "alpha"\nstandby = ["beta"]\n'


BASE = NODE + PEER


def write(folder: Path, text: str, **datasets: str) -> str:
    """A configuration, with files of ``datasets.d`` by their name without the ending."""
    (folder / "agent.toml").write_text(text)
    for name, content in datasets.items():
        (folder / "datasets.d").mkdir(exist_ok=True)
        (folder / "datasets.d" / f"{name}.toml").write_text(content)
    return str(folder / "agent.toml")


def mistakes(path: str, folder: Path) -> list[str]:
    """What ``load`` finds wrong, a line each, with the folder cut off."""
    with pytest.raises(ConfigMistakes) as caught:
        load(path)
    return [str(mistake).replace(f"{folder}/", "") for mistake in caught.value.mistakes]
