"""Who may read and write what the agent keeps? It holds the content of every file, and the keys."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from agent.config.values import Settings
from agent.doctor.diagnosis import Condition, Diagnosis, good

_NAME = "rights"


@dataclass(frozen=True, slots=True)
class PathRights:
    """``what``: the path's meaning, for people; ``refused``: bits that its mode must not have; ``mode`` and ``uid``: None where
    nothing stands there, or where this user may not look (``denied``)."""

    path: str
    what: str
    refused: int
    mode: int | None = None
    uid: int | None = None
    denied: bool = False


def look_at_rights(settings: Settings) -> tuple[PathRights, ...]:
    """Of the state directory, each vault, and the files with keys and tokens."""
    asked = [(settings.node.state_dir, "the state directory", 0o077), (settings.tls.key, "the node's key", 0o077)]
    asked += [(str(settings.vault(one)), f"the vault of {one.name}", 0o077) for one in settings.datasets]
    console = settings.console
    if console.token_file is not None:
        asked.append((console.token_file, "the token of the console", 0o027))
    if console.key is not None:
        asked.append((console.key, "the key of the console", 0o027))
    return tuple(_rights(*one) for one in asked)


def judge_rights(facts: tuple[PathRights, ...], agent_uid: int) -> Iterator[Diagnosis]:
    """Whatever is open to too many, or belongs to another account than ``agent_uid``, the agent's. Pure."""
    found = [one for each in facts for one in _of_path(each, agent_uid)]
    yield from found
    looked = [each.what for each in facts if each.mode is not None]
    if looked and not any(one.asks_for_somebody for one in found):
        yield good(_NAME, f"{', '.join(looked)}: nobody else may read or write them")


def _of_path(one: PathRights, agent_uid: int) -> Iterator[Diagnosis]:
    if one.denied:
        message = f"{one.path} ({one.what}): this user may not look at it"
        yield Diagnosis(_NAME, Condition.UNKNOWN, message, "sudo hikae doctor")
    if one.mode is None:
        return
    if one.mode & one.refused:
        kept = f"{stat.S_IMODE(one.mode) & ~one.refused:o}"
        message = f"{one.path} ({one.what}) is open to others: mode {stat.S_IMODE(one.mode):o}"
        yield Diagnosis(_NAME, Condition.WARNING, message, f"chmod {kept} {one.path}")
    if one.uid not in (agent_uid, 0):
        message = f"{one.path} ({one.what}) belongs to user {one.uid}, and the agent is user {agent_uid}"
        yield Diagnosis(_NAME, Condition.WARNING, message, f"chown -R root: {one.path}")


def _rights(path: str, what: str, refused: int) -> PathRights:
    try:
        found = os.stat(path)
    except PermissionError:
        return PathRights(path, what, refused, denied=True)
    except OSError:
        return PathRights(path, what, refused)
    return PathRights(path, what, refused, found.st_mode, found.st_uid)
