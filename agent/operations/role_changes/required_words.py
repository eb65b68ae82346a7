"""What the configuration wants to be told before something may be lost (``[dataset.promote] require``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.core.errors import UsageError
from agent.operations.running import DatasetCall


class SaidWhy(Protocol):
    """A request that can say why, and who allowed it."""

    @property
    def reason(self) -> str: ...

    @property
    def approved_by(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Of a command that takes no words."""

    reason: str = ""
    approved_by: str = ""


UNSAID = Unsaid()


def require_words(call: DatasetCall, command: str, said: SaidWhy, *, lost: bool) -> None:
    """``command``: as it is typed, with the dataset; ``lost``: whether something may be. Raises ``UsageError`` for words that are
    asked for and were not said."""
    if not lost:
        return
    given = {"reason": said.reason, "approved-by": said.approved_by}
    lacking = [name for name in call.member.dataset.promote.require if not given[name].strip()]
    if lacking:
        options = " ".join(f"--{name} TEXT" for name in lacking)
        reason = f"something may be lost, and [dataset.promote] require asks for {' and '.join(lacking)}"
        raise UsageError(command.split(maxsplit=1)[0], call.dataset, reason, f"hikae {command} {options}")
