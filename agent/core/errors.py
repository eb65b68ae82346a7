"""What can end an action. A path that failed inside a run that goes on is a ``Problem`` instead.

::

    HikaeError              exit 1   what was attempted, on what, why, what to do
    ├── UsageError          exit 2   the command line is wrong
    ├── Refused             exit 3   a gate is not met
    ├── NotFound            exit 4   no such dataset, peer, object
    ├── ConfigError         exit 78  a file, a key, what is wrong, what to write
    ├── Unreachable         exit 69  agent or peer does not answer
    ├── TryAgain            exit 75  true for now only: busy, timed out
    │   ├── DiskFull                 there is no room for what was to be written
    │   └── CalledOff                nobody will answer there any more
    ├── NotPermitted        exit 77  privilege or identity
    ├── WireError           exit 1   a peer broke the protocol, or sent what is not believed
    │   └── OtherDigest              the rows of a commit are not the state that was sealed
    ├── Damaged             exit 1   stored bytes are not what their name says
    │   └── OtherFormat              another build wrote them, in a format that is not read here
    └── StoreFailed         exit 1   a sync or write to our own state failed: throw away, start again

Foreign exceptions are mapped once, where they enter, with ``raise … from``.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line; public."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    UNREACHABLE = 69
    TRY_AGAIN = 75
    NOT_PERMITTED = 77
    CONFIG = 78


class HikaeError(Exception):
    """Something an operator reads.

    ``operation``: what was attempted ("open the vault"); ``subject``: on what (a path, a dataset, a peer);
    ``reason``: why it failed; ``remedy``: what to do or type now. All are plain text without a final stop.
    """

    exit_code = Exit.FAILED

    def __init__(self, operation: str, subject: str, reason: str, remedy: str = "") -> None:
        super().__init__(operation, subject, reason, remedy)
        self.operation = operation
        self.subject = subject
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence}; {self.remedy}" if self.remedy else self.sentence

    @property
    def sentence(self) -> str:
        """All but the remedy: the message of a problem, which has its remedy beside it."""
        return f"cannot {self.operation}" + (f" ({self.subject})" if self.subject else "") + f": {self.reason}"


class UsageError(HikaeError):
    """The command line asks for something that makes no sense."""

    exit_code = Exit.USAGE


class Refused(HikaeError):
    """A gate is not met. ``gates`` are rows of ``{"name", "ok", "value", "remedy"}``."""

    exit_code = Exit.REFUSED

    def __init__(
        self,
        operation: str,
        subject: str,
        reason: str,
        remedy: str = "",
        gates: tuple[dict[str, object], ...] = (),
    ) -> None:
        super().__init__(operation, subject, reason, remedy)
        self.gates = gates


class NotFound(HikaeError):
    """The thing that was named does not exist here."""

    exit_code = Exit.NOT_FOUND


class ConfigError(HikaeError):
    """A configuration file cannot be used. The service does not restart on it."""

    exit_code = Exit.CONFIG


class Unreachable(HikaeError):
    """The agent or a peer does not answer."""

    exit_code = Exit.UNREACHABLE


class TryAgain(HikaeError):
    """The operation failed for now: the same call may work later."""

    exit_code = Exit.TRY_AGAIN


class DiskFull(TryAgain):
    """There is no room for what was to be written; nothing of it counts."""


class CalledOff(TryAgain):
    """The thing that was waited for has ended, and nobody will answer there any more: ask the next one."""


class NotPermitted(HikaeError):
    """A privilege is missing, or the other side is not who it says."""

    exit_code = Exit.NOT_PERMITTED


class WireError(HikaeError):
    """The other side broke the protocol or sent something that is not believed."""


class OtherDigest(WireError):
    """The rows of a commit came, and the state with them is not the one that was sealed."""


class Damaged(HikaeError):
    """Bytes read back are not what was stored."""


class OtherFormat(Damaged):
    """The stored bytes were written by another build, in a format that this one does not read."""


class StoreFailed(HikaeError):
    """A write or sync of our own state failed. It is never tried again on the same descriptors (law 1)."""
