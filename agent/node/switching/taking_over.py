"""What the steps of a take-over do on the node that becomes the primary."""

from __future__ import annotations

from agent.core.ids import Epoch
from agent.node.primary import Primary
from agent.node.switching.switched_member import SwitchedNode
from agent.roles.record import RoleRecord
from agent.status.state import Role
from agent.steps.hooks import HookResult

_PATIENCE = 600.0


class TakingOver(SwitchedNode):
    """``roles.switchover.taking_over.TakeOverWorld`` of a standby that has everything."""

    def take_role(self, epoch: Epoch) -> str:
        """See ``TakeOverWorld``, as all below."""
        self.begin("role")
        if self._reigns(epoch) is None:
            self.member.take_role(RoleRecord(Role.PRIMARY, epoch, begun=False))
        return f"the primary, in epoch {epoch.number}"

    def serving(self, epoch: Epoch) -> str:
        self.begin("serving")
        side = self.until(lambda: self._reigns(epoch), _PATIENCE, "the primary's side")
        return f"epoch {side.reign.epoch.number} is begun, and the tree is watched"

    def run_hook(self, name: str) -> HookResult:
        """Once this node may serve: after a crash somebody has to say so anew."""
        self.begin(name)
        self.hooks.until_confirmed()
        return self.hooks.run(name)

    def _reigns(self, epoch: Epoch) -> Primary | None:
        side = self.member.side
        return side if isinstance(side, Primary) and side.reign.epoch == epoch else None
