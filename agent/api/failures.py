"""Which HTTP status goes with an error."""

from __future__ import annotations

from agent.core.errors import Exit, HikaeError

_HTTP = {
    Exit.USAGE: 400,
    Exit.REFUSED: 409,
    Exit.NOT_FOUND: 404,
    Exit.NOT_PERMITTED: 403,
    Exit.TRY_AGAIN: 503,
    Exit.UNREACHABLE: 502,
}


def http_code(error: HikaeError) -> int:
    """The HTTP status that goes with an error."""
    return _HTTP.get(error.exit_code, 500)
