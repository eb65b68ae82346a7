"""What can be asked of a running agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias

#: A JSON object.
Json: TypeAlias = dict[str, Any]  # Any: JSON is a foreign edge
#: Told how a long call goes: ``{"phase", "waits_for", "done_bytes", "total_bytes", "done_entries",
#: "total_entries"}``, as far as known; ``waits_for`` is for people.
Progress: TypeAlias = Callable[[Json], None]
Level: TypeAlias = Literal["durable", "applied"]
What: TypeAlias = Literal["send", "apply", "both"]


class Controls(Protocol):
    """The agent as its operators see it. Implemented by the node, and by ``AdminClient`` on the far side of the socket.

    Every method may be called from any thread and raises a ``HikaeError`` when it cannot: ``NotFound`` for an unknown
    dataset, ``Refused`` for what the role or state does not allow, ``TryAgain`` for what a later call may do.

    Long calls (``wait``, ``verify``, ``reconcile``) call ``progress`` at least each second; it raises
    ``ConnectionError`` once nobody waits for the answer any more, which ends the call. They also end, with
    ``TryAgain``, when the agent stops."""

    def status(self) -> Json:
        """The published value (``status.published``)."""
        ...

    def events(self, since: int, limit: int) -> list[Json]:
        """The newest ``limit`` events with a greater id than ``since``, oldest first."""
        ...

    def reload(self) -> Json:
        """Read the configuration again: ``{"files", "taken", "needs_restart", "warnings"}``, lists of text; ``taken`` are
        the keys that took effect, ``needs_restart`` those that differ and did not. ``ConfigError`` when it is wrong; nothing
        has changed then."""
        ...

    def wait(self, dataset: str, level: Level, timeout: float | None, progress: Progress) -> Json:
        """Return once all that was written before the call is ``durable`` on, or ``applied`` by, every standby.

        ``{"dataset", "commit": {"epoch", "seq"}, "level", "seconds"}``; ``TryAgain`` after ``timeout`` seconds."""
        ...

    def verify(self, dataset: str, deep: bool, progress: Progress, repair: bool = False) -> Json:
        """Compare the standby with its commit: metadata, with ``deep`` every byte too. ``repair``: make it equal, put back
        what the vault lost, and tell what is left.

        ``{"equal", "deep", "checked_entries", "checked_bytes", "differences": [{"path", "what"}], "repaired"}``."""
        ...

    def reconcile(self, dataset: str, progress: Progress) -> Json:
        """Walk the whole source now; return when all it found is committed:
        ``{"dataset", "commit": {"epoch", "seq"}, "found", "seconds"}``."""
        ...

    def pause(self, dataset: str, what: What, seconds: float | None) -> Json:
        """Stop sending, applying or both, for ``seconds`` (None: until resumed): ``{"dataset", "paused"}``, the
        latter a map of what stands still to the time of its end (null: until resumed), null for nothing."""
        ...

    def resume(self, dataset: str, what: What) -> Json:
        """Undo :meth:`pause`: ``{"dataset", "paused"}``."""
        ...

    def accept(self, dataset: str) -> Json:
        """Go on although a hold stands: ``{"dataset", "accepted": the hold}``; ``Refused`` when there is none here."""
        ...

    def resync(self, dataset: str) -> Json:
        """Take whatever stands at the standby's path for the standby, whose directory is gone or another:
        ``{"dataset", "path"}``; ``Refused`` where it is the one that it was, or on the primary."""
        ...
