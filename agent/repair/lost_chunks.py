"""Chunks that the vault has lost come back from the primary: it is told so when it calls, offers every name of its newest
state, and what is missing here is asked for. Whether that is due outlives a restart."""

from __future__ import annotations

import threading
from contextlib import suppress

import structlog

from agent.core.clock import Clock
from agent.core.errors import Damaged, NotFound, Refused
from agent.core.patch import Patch
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import VAULT_DAMAGED
from agent.store.local import Local
from agent.store.vault.vault import Vault

#: What could not be had may be had once its file was captured again: seconds until it is asked for anew.
AGAIN_AFTER = 30.0
_LACKING = "vault-lacks"
_log = structlog.get_logger("node")


class Mending:
    """Whether the vault lacks chunks, and the problem that says so. Any thread."""

    def __init__(self, vault: Vault, local: Local, primary: str, board: ProblemBoard, *, clock: Clock) -> None:
        self._vault = vault
        self._local = local
        self._primary = primary
        self._board = board
        self._clock = clock
        self._lock = threading.Lock()
        self._tried_at: float | None = None
        self._asking = False
        self._doubtful: set[bytes] = set()
        self._losses = 0
        if vault.damage:
            self.lost("; ".join(vault.damage[:3]))
        elif local.value(_LACKING):
            self._losses = 1
            self._tell("noticed before the agent was started")

    def read(self, name: bytes) -> bytes:
        """``Vault.read``; what is damaged, also when it is read anew, is forgotten, so that it is asked for. Raises as that."""
        try:
            return self._vault.read(name)
        except (Damaged, NotFound) as error:
            if not self._vault.is_damaged(name):
                return self._vault.read(name)
            self.forget([name], error.reason)
            raise

    def patch_of(self, name: bytes) -> Patch | None:
        """``Vault.patch_of``; None where it cannot be had: who then reads the chunk learns why."""
        try:
            return self._vault.patch_of(name)
        except (Damaged, NotFound):
            return None

    def forget(self, names: list[bytes], reason: str) -> None:
        """These are not what they should be, or not there."""
        with self._lock:
            self._doubtful.update(names)
        self._forget_doubtful()
        self.lost(reason)

    def begin(self) -> int:
        """A call begins: nothing is in use by another. Which loss it is to mend; 0 when nothing is lost."""
        self._forget_doubtful()
        with self._lock:
            self._asking = self._losses > 0
            return self._losses

    def _forget_doubtful(self) -> None:
        """What an offer in flight relies on is refused now, and taken at the next call."""
        with self._lock:
            for name in list(self._doubtful):
                with suppress(Refused):
                    self._vault.lose([name])
                    self._doubtful.discard(name)

    def lost(self, reason: str) -> None:
        """The vault does not hold what the catalog names."""
        with self._lock:
            if not self._losses:
                _log.error("the vault lacks chunks; they are asked for again", reason=reason)
                self._local.set_value(_LACKING, b"yes", durable=True)
            self._losses += 1
            self._tried_at = None
        self._tell(reason)

    @property
    def lacks(self) -> bool:
        """Whether chunks are lost."""
        return self._losses > 0

    @property
    def in_use(self) -> int:
        """How many are not what they should be, and cannot be replaced while an offer in flight relies on them."""
        return len(self._doubtful)

    @property
    def unanswered(self) -> bool:
        """Whether the primary was asked, and did not have all of them any more."""
        return self._tried_at is not None

    def wants_call(self, began: int) -> bool:
        """Whether a new call would bring something. ``began``: what :meth:`begin` gave for the present one, which is let come to
        its end first: a call that is cut off for having been tried too long ago would be followed by one that is."""
        if self._asking:
            return False
        if self._losses != began:
            return self._losses > 0
        tried = self._tried_at
        return tried is not None and self._clock.monotonic() - tried > AGAIN_AFTER

    def ended(self, began: int, left: int) -> bool:
        """Everything was offered, and ``left`` chunks that were asked for did not come. Whether the vault is whole."""
        with self._lock:
            self._asking = False
            if self._losses != began:
                return False
            if left:
                self._tried_at = self._clock.monotonic()
                self._tell(f"{left:,} were asked for and have changed on {self._primary} since")
                return False
            self._local.set_value(_LACKING, b"", durable=True)
            self._losses, self._tried_at = 0, None
            self._board.clear(VAULT_DAMAGED)
        _log.info("the vault holds every chunk again")
        return True

    def _tell(self, reason: str) -> None:
        message = f"chunks in the vault are lost or damaged: {reason}"
        remedy = f"none needed while {self._primary} is connected: what its files hold is fetched again"
        now = self._clock.now_ns()
        self._board.put(Problem(VAULT_DAMAGED, Severity.ERROR, now, b"", message, remedy))
