"""Can the configuration be used, and by whom may it be changed? What stands in it is run as root."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.config.load import file_mistakes, load
from agent.config.mistakes import ConfigMistakes
from agent.config.read import FOLDER
from agent.config.values import Settings
from agent.core.errors import HikaeError
from agent.doctor.diagnosis import Condition, Diagnosis, good
from agent.roles.assignment import ignored_primaries

_NAME = "configuration"


@dataclass(frozen=True, slots=True)
class ConfigurationFacts:
    """``settings``: None where it cannot be used; ``mistakes``: why; ``unreadable``: the file that this user may not read, "" for
    none; ``open_to_others``: files that others than their owner may write."""

    path: str
    settings: Settings | None
    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unreadable: str = ""
    open_to_others: tuple[str, ...] = ()


def look_at_configuration(path: str) -> ConfigurationFacts:
    """Read it as the agent does at its start, but for certificates."""
    opened = tuple(_open_to_others(path))
    if os.path.exists(path) and not os.access(path, os.R_OK):
        return ConfigurationFacts(path, None, unreadable=path, open_to_others=opened)
    try:
        settings = load(path)
    except ConfigMistakes as error:
        return ConfigurationFacts(path, None, tuple(str(one) for one in error.mistakes), (), "", opened)
    except HikaeError as error:
        return ConfigurationFacts(path, None, (str(error),), (), "", opened)
    mistakes = [str(one) for one in file_mistakes(settings) if not one.key.startswith("tls.")]
    ignored = ignored_primaries(settings) if os.access(settings.node.state_dir, os.X_OK) else ()
    return ConfigurationFacts(path, settings, tuple(mistakes), (*settings.warnings, *ignored), "", opened)


def judge_configuration(facts: ConfigurationFacts) -> Iterator[Diagnosis]:
    """A diagnosis for each mistake and warning; a good one where there is none. Pure."""
    if facts.unreadable:
        message = f"{facts.unreadable} may not be read by this user, so nothing that it names was looked at"
        yield Diagnosis(_NAME, Condition.UNKNOWN, message, "sudo hikae doctor")
    for mistake in facts.mistakes:
        yield Diagnosis(_NAME, Condition.ERROR, mistake, "correct it; hikae config check tells every mistake")
    for warning in facts.warnings:
        yield Diagnosis(_NAME, Condition.WARNING, warning)
    for path in facts.open_to_others:
        message = f"{path} can be written by others than its owner, and its hooks run as root"
        yield Diagnosis(_NAME, Condition.ERROR, message, f"chmod go-w {path}")
    if facts.settings is not None and not (facts.mistakes or facts.warnings or facts.open_to_others):
        count = len(facts.settings.datasets)
        yield good(_NAME, f"{facts.path}: {count} dataset{'' if count == 1 else 's'} on {facts.settings.node.name}")


def _open_to_others(path: str) -> Iterator[str]:
    folder = os.path.join(os.path.dirname(os.path.abspath(path)), FOLDER)
    return written_by_others((os.path.dirname(os.path.abspath(path)), path, folder, *_files(folder)))


def written_by_others(paths: Iterable[str]) -> Iterator[str]:
    """Those of the paths that group or others may write; in a directory with the sticky bit (``/tmp``) they cannot replace what
    another owns."""
    for path in paths:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue
        if mode & 0o022 and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            yield path


def _files(folder: str) -> list[str]:
    try:
        return sorted(entry.path for entry in os.scandir(folder) if entry.name.endswith(".toml"))
    except OSError:
        return []
