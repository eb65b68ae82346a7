"""Whether more may be received: the disk's reserve, and the vault's limit."""

from __future__ import annotations

from agent.node.disk_reserve import DiskReserve
from agent.node.following.vault_space import VaultSpace
from agent.stream.messages import Refuse


class ReceivingRoom:
    """Any thread."""

    def __init__(self, reserve: DiskReserve, space: VaultSpace) -> None:
        self._reserve = reserve
        self._space = space

    def tick(self) -> None:
        """Look at the disk, and say what is found."""
        self._reserve.tick()

    def refusal(self) -> Refuse | None:
        """Why no call is served now."""
        return self._reserve.refusal() or self._space.refusal()

    def require(self, amount: int) -> None:
        """``amount`` more bytes have come. Raises ``ReserveReached``, ``VaultLimitReached``."""
        self._reserve.require(amount)
        self._space.require(amount)
