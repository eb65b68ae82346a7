"""Errors as JSON and back, so that who asked raises what was raised there: on the other side of a socket, or on another node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.core.errors import (
    ConfigError,
    Exit,
    HikaeError,
    NotFound,
    NotPermitted,
    Refused,
    TryAgain,
    Unreachable,
    UsageError,
)

_KINDS: dict[int, type[HikaeError]] = {
    kind.exit_code: kind for kind in (UsageError, NotFound, ConfigError, Unreachable, TryAgain, NotPermitted)
}


def error_json(error: HikaeError) -> dict[str, Any]:
    """``{"operation", "subject", "reason", "remedy", "exit_code"}`` and, for a refusal, ``gates``."""
    value: dict[str, Any] = {  # Any: JSON is a foreign edge
        "operation": error.operation,
        "subject": error.subject,
        "reason": error.reason,
        "remedy": error.remedy,
        "exit_code": int(error.exit_code),
    }
    if isinstance(error, Refused):
        value["gates"] = list(error.gates)
    return value


def error_from(value: Mapping[str, Any]) -> HikaeError:
    """The error that :func:`error_json` described. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for other JSON."""
    operation, subject, reason, remedy = (str(value[key]) for key in ("operation", "subject", "reason", "remedy"))
    code = int(value["exit_code"])
    if code == Exit.REFUSED:
        gates = [gate for gate in value.get("gates", ()) if isinstance(gate, dict)]
        return Refused(operation, subject, reason, remedy, tuple(gates))
    return _KINDS.get(code, HikaeError)(operation, subject, reason, remedy)
