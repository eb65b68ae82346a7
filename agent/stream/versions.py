"""Which version of the protocol a call speaks.

Each release speaks its own version and the one before, so two neighbours always understand each other, and the secondary is
upgraded first. Fields that one side does not know are ignored by it; anything that it could not ignore begins a new version.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.core import problem_codes
from agent.core.errors import WireError
from agent.stream.messages import VERSION, Hello, Refuse, Welcome, bad

#: What this release speaks, the newest first.
SPOKEN: tuple[int, ...] = (VERSION,)


def agree(ours: Sequence[int], theirs: Sequence[int]) -> int | None:
    """The newest version that both speak, None where there is none."""
    return max(set(ours) & set(theirs), default=None)


def refusal(node: str, ours: Sequence[int], hello: Hello) -> Refuse:
    """Why ``node``, the secondary, cannot serve this primary, and whose release is the older one."""
    theirs = hello.versions
    reason = f"{node} speaks {_listed(ours)} of the protocol, {hello.node}{_release(hello)} speaks {_listed(theirs)}"
    if not theirs or max(theirs) < max(ours):
        remedy = f"upgrade {hello.node}, to the release before that of {node} if need be"
    else:
        remedy = f"upgrade {node}: the secondary first"
    return Refuse(problem_codes.VERSION, reason, remedy)


def check_welcome(peer: str, offered: Sequence[int], welcome: Welcome) -> None:
    """The secondary must answer under its own name, in a version that it was offered. Raises ``WireError``."""
    if welcome.node != peer:
        raise bad(f"a welcome of {welcome.node!r}")
    if welcome.version not in offered:
        reason = f"it chose version {welcome.version} of the protocol, and was offered {_listed(offered)}"
        raise WireError("read from the peer", peer, reason, f"upgrade {peer}: the secondary first")


def _release(hello: Hello) -> str:
    return f" ({hello.program})" if hello.program else ""


def _listed(versions: Sequence[int]) -> str:
    words = [str(version) for version in sorted(set(versions))]
    if not words:
        return "no version"
    return ("version " if len(words) == 1 else "versions ") + ", ".join(words)
