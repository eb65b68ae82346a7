"""Who may read what: a token that is compared in constant time, or a certificate that TLS has checked before."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

#: A shorter one could be guessed; a longer one is no token.
TOKEN_LEAST, TOKEN_MOST = 16, 4096
_SCHEME = b"bearer"


class Gatekeeper:
    """Lets in by ``token`` (None: nobody is asked for one). ``full``: whether who is let in may see paths."""

    def __init__(self, token: bytes | None, full: bool) -> None:
        self._token = token
        self.asks = token is not None
        self.full = full

    def lets_in(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether the request carries the token: ``Authorization: Bearer TOKEN``."""
        if self._token is None:
            return True
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        return scheme.lower() == _SCHEME and hmac.compare_digest(token.strip(), self._token)
