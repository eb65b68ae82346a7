"""The console over TLS, to holders of certificates of one authority, but for those that it has revoked.

The list of the revoked is read again whenever its file changes: who is shut out is let in no more from then on, without a
restart. A session is not taken up again (no tickets): each connection shows its certificate anew."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable

import structlog

from agent.core.errors import ConfigError

_log = structlog.get_logger("web")
_ENDING = ".crl"
#: Time, inode and size of a file.
_Stamp = tuple[int, int, int]


def list_beside(client_ca: str) -> str | None:
    """The list of revoked certificates that lies beside the authority's certificate, under its name; None where there is none."""
    path = os.path.splitext(client_ca)[0] + _ENDING
    return path if os.path.exists(path) else None


class ClientTls:
    """``context``: for the door. ``refresh`` by one thread. ``client_crl``: PEM, None for no list."""

    def __init__(self, context: ssl.SSLContext, client_crl: str | None) -> None:
        self.context = context
        self._list = client_crl
        self._stamp = _stamp(client_crl)
        #: The state of the file that could not be read, as was said.
        self._told = self._stamp

    @classmethod
    def open(cls, cert: str, key: str, client_ca: str, client_crl: str | None) -> ClientTls:
        """Read all of it. Raises ``ConfigError``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        _loaded("console.cert", lambda: context.load_cert_chain(cert, key), f"{cert}, {key}")
        _loaded("console.client_ca", lambda: context.load_verify_locations(client_ca), client_ca)
        if client_crl is not None:
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
            _loaded("console.client_crl", lambda: _load_list(context, client_crl), client_crl)
        return cls(context, client_crl)

    def refresh(self) -> None:
        """Read the list again where its file has changed. One that cannot be read changes nothing: those of before stay out. It
        is tried again: a file that is being written is empty first, and may get its content within one tick of the clock."""
        stamp = _stamp(self._list)
        if self._list is None or stamp == self._stamp:
            return
        try:
            _load_list(self.context, self._list)
        except (OSError, ssl.SSLError) as error:
            if stamp != self._told:
                _log.error("the list of revoked certificates cannot be read; the one before holds", reason=str(error))
            self._told = stamp
        else:
            self._stamp = self._told = stamp
            _log.info("the list of revoked certificates was read again", path=self._list)


def _load_list(context: ssl.SSLContext, path: str) -> None:
    """OpenSSL goes by the newest of an authority's lists. Raises ``OSError``, ``SSLError``."""
    before = context.cert_store_stats()["crl"]
    context.load_verify_locations(path)
    if not before and not context.cert_store_stats()["crl"]:
        raise ssl.SSLError("there is no list of revoked certificates in PEM in it")


def _stamp(path: str | None) -> _Stamp | None:
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size) if found is not None else None


def _loaded(name: str, load: Callable[[], None], files: str) -> None:
    try:
        load()
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        remedy = "PEM files that the account hikae may read, or leave [console] client_ca out"
        raise ConfigError(f"read {name}", files, reason, remedy) from error
