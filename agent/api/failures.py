"""Errors as JSON and back, so that the command line raises what the agent raised."""

from __future__ import annotations

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
from agent.operations.declaration import Json

_KINDS: dict[int, type[HikaeError]] = {
    kind.exit_code: kind for kind in (UsageError, NotFound, ConfigError, Unreachable, TryAgain, NotPermitted)
}
_HTTP = {
    Exit.USAGE: 400,
    Exit.REFUSED: 409,
    Exit.NOT_FOUND: 404,
    Exit.NOT_PERMITTED: 403,
    Exit.TRY_AGAIN: 503,
    Exit.UNREACHABLE: 502,
}


def error_json(error: HikaeError) -> Json:
    """``{"operation", "subject", "reason", "remedy", "exit_code"}`` and, for a refusal, ``gates``."""
    value: Json = {
        "operation": error.operation,
        "subject": error.subject,
        "reason": error.reason,
        "remedy": error.remedy,
        "exit_code": int(error.exit_code),
    }
    if isinstance(error, Refused):
        value["gates"] = list(error.gates)
    return value


def error_from(value: Json) -> HikaeError:
    """The error that :func:`error_json` described. Raises ``KeyError`` or ``TypeError`` for other JSON."""
    operation, subject, reason, remedy = (str(value[key]) for key in ("operation", "subject", "reason", "remedy"))
    code = int(value["exit_code"])
    if code == Exit.REFUSED:
        return Refused(operation, subject, reason, remedy, tuple(value.get("gates", ())))
    return _KINDS.get(code, HikaeError)(operation, subject, reason, remedy)


def http_code(error: HikaeError) -> int:
    """The HTTP status that goes with an error."""
    return _HTTP.get(error.exit_code, 500)
