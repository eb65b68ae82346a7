"""The configuration of a running agent."""

from __future__ import annotations

from dataclasses import dataclass

from agent.operations.declaration import Json, Request, each_call, node_operation
from agent.operations.running import NodeCall


@dataclass(frozen=True, slots=True)
class ReloadRequest(Request[Json]):
    """Read the configuration again: ``{"files", "taken", "needs_restart", "warnings"}``, lists of text; ``taken`` are the keys
    that took effect, ``needs_restart`` those that differ and did not. ``ConfigError`` when it is wrong: nothing has changed."""


@node_operation("reload", ReloadRequest, long=True, changes=each_call)
def _reload(call: NodeCall, _request: ReloadRequest) -> Json:
    return call.agent.reload()
