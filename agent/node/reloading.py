"""The configuration, read again while the agent runs: what can change takes effect, the rest is named, a wrong file is
refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeAlias

import structlog

from agent.config.changes import ConfigChanges, changes
from agent.config.load import load
from agent.config.mistakes import ConfigMistakes
from agent.config.values import Settings
from agent.core.clock import Clock
from agent.core.errors import ConfigError, Refused
from agent.core.problem import Problem, ProblemBoard, ProblemCode, Severity
from agent.core.problem_codes import CONFIG_INVALID, CONFIG_NEEDS_RESTART
from agent.node import leftover
from agent.node.promised import Promised, promised_of
from agent.pki import startable
from agent.status.figures import stamp

Json: TypeAlias = dict[str, Any]  # Any: JSON is a foreign edge

_KEYS_SHOWN = 8
_log = structlog.get_logger("node")


class Reconfigured(Protocol):
    """What runs (``node.assembly.Node``)."""

    def take(self, found: ConfigChanges, read: Settings) -> Collection[str]:
        """Go on as found; ``read``: what the files say. The names of datasets whose primary is recorded, so that another one in
        the files changes nothing, not even at a restart. Any thread. Raises ``TryAgain``: nothing has changed then."""
        ...


class Reloader:
    """Knows the settings that run. :meth:`reload` may be called by any thread; one at a time gets through."""

    def __init__(
        self,
        settings: Settings,
        running: Reconfigured,
        board: ProblemBoard,
        clock: Clock,
        *,
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._running = running
        self._board = board
        self._clock = clock
        self._changed = changed
        self._lock = threading.Lock()
        self._removing = threading.Lock()

    def reload(self) -> Json:
        """Read the files again: ``{"files", "taken", "needs_restart", "warnings"}``, lists of lines; the second and third are
        keys.

        Nothing is begun before all of it was checked. Raises ``ConfigError``; everything is as before then, and a problem says
        so until a right file is read."""
        with self._lock:
            try:
                read = load(self._settings.source_files[0])
                wrong = startable.reloadable(self._settings, read, self._clock.now_ns())
            except ConfigError as error:
                self._refused(error)
                raise
            return self._take(read, wrong)

    def remove(self, name: str, dry_run: bool, force: bool) -> Json:
        """Delete what is kept of a dataset that is not configured, or only say what that is: ``operations.removing``.

        Raises ``Refused`` while it is configured, and without ``force`` where generations were promised to stay; and as
        ``leftover`` does."""
        with self._removing:
            with self._lock:
                self._must_be_gone(name)
                found = leftover.find_leftover(self._settings.home(name).parent, name)
                promised = promised_of(found.home, self._clock)
                if not dry_run:
                    _must_be_forced(name, promised, force)
                    leftover.set_aside(found)
            left = () if dry_run else leftover.delete(found)
        if not dry_run:
            _log.info("what was kept of a dataset is deleted", dataset=name, bytes=found.size)
        parts = [
            {"what": part.what, "paths": [str(path) for path in part.paths], "bytes": part.size} for part in found.parts
        ]
        return {
            "dataset": name,
            "removed": not dry_run,
            "bytes": found.size,
            "parts": parts,
            "left": [str(path) for path in left],
            "promised": [
                {
                    "generation": one.generation.name,
                    "label": one.generation.label,
                    "pinned": one.generation.pinned,
                    "until": stamp(one.until),
                }
                for one in promised
            ],
        }

    def _must_be_gone(self, name: str) -> None:
        if any(dataset.name == name for dataset in self._settings.datasets):
            file = self._settings.source_files[0]
            remedy = f"take it out of {file}, then: hikae reload; then: hikae dataset remove {name}"
            raise Refused("remove the dataset", name, "it is configured here", remedy)

    def _take(self, read: Settings, wrong: Sequence[str]) -> Json:
        found = changes(self._settings, read)
        in_vain = {f"dataset[{name}].primary" for name in self._running.take(found, read)}
        self._settings = found.settings
        taken, waiting = ([key for key in keys if key not in in_vain] for keys in (found.taken, found.waiting))
        self._board.clear(CONFIG_INVALID)
        self._tell_waiting(waiting)
        warnings = [*read.warnings, *wrong]
        for warning in warnings:
            _log.warning("configuration", warning=warning)
        _log.info("the configuration was read again", taken=taken, needs_restart=waiting)
        self._changed()
        return {
            "files": list(read.source_files),
            "taken": taken,
            "needs_restart": waiting,
            "warnings": warnings,
        }

    def _refused(self, error: ConfigError) -> None:
        _log.error("the configuration is refused; the agent goes on with the one before", reason=str(error))
        remedy = "correct it, then: hikae reload. Until then the agent goes on as before, and may not start again"
        self._problem(CONFIG_INVALID, f"the configuration is wrong: {_first_mistake(error)}", remedy)
        self._changed()

    def _tell_waiting(self, keys: Sequence[str]) -> None:
        if not keys:
            self._board.clear(CONFIG_NEEDS_RESTART)
            return
        more = f" and {len(keys) - _KEYS_SHOWN} more" if len(keys) > _KEYS_SHOWN else ""
        message = f"changes in the configuration wait for a restart: {', '.join(keys[:_KEYS_SHOWN])}{more}"
        self._problem(CONFIG_NEEDS_RESTART, message, "systemctl restart hikae; or undo them and: hikae reload")

    def _problem(self, code: ProblemCode, message: str, remedy: str) -> None:
        self._board.put(Problem(code, Severity.WARNING, self._clock.now_ns(), b"", message, remedy))


def _first_mistake(error: ConfigError) -> str:
    """File, key and what to write instead, of the first mistake; a problem is one line."""
    if not isinstance(error, ConfigMistakes) or not error.mistakes:
        return f"{error.subject}: {error.reason}"
    more = len(error.mistakes) - 1
    return f"{error.mistakes[0]}" + (f" (and {more} more: hikae config check)" if more else "")


def _must_be_forced(name: str, promised: Sequence[Promised], force: bool) -> None:
    if promised and not force:
        first = promised[0].generation.name
        more = f" and {len(promised) - 1:,} more" if len(promised) > 1 else ""
        reason = f"generation {first}{more} may not go yet: pinned, or younger than immutable_for promised"
        remedy = "hikae dataset remove --dry-run names them; add --force to break that promise"
        raise Refused("remove the dataset", name, reason, remedy)
