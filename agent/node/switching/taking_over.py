"""What the steps of a take-over do on the node that becomes the primary."""

from __future__ import annotations

from agent.core.ids import Epoch
from agent.core.problem_codes import SWITCHING_OVER
from agent.node.context import Surroundings
from agent.node.primary import Primary
from agent.node.stepping.stepped import SteppedRun, StepsKind
from agent.node.switching.switched_member import SwitchedMember, SwitchedNode
from agent.roles.record import RoleRecord
from agent.roles.switchover.taking_over import KIND, RECORD, TABLE, UNSAID, TakeOverWorld
from agent.status.state import Role
from agent.steps.hooks import HookResult
from agent.steps.record import Facts

_PATIENCE = 600.0


def take_over_kind(member: SwitchedMember, around: Surroundings) -> StepsKind[TakeOverWorld]:
    """A take-over by this node, for ``node.stepping.stepped``."""

    def world(arguments: Facts, run: SteppedRun) -> TakeOverWorld:
        return TakingOver(member, around, run, "take over", str(arguments.get("reason", "")) or UNSAID)

    return StepsKind(KIND, RECORD, "a take-over", SWITCHING_OVER, TABLE, world, lambda: True)


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
