"""The list of revoked certificates of the console, read again while it is written."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from structlog.testing import capture_logs

from agent import pki
from agent.web.client_tls import ClientTls


def _opened(base: Path) -> tuple[Path, Path, ClientTls]:
    """An authority's directory, the list that a node was handed out, and its console's context."""
    keys = base / "pki"
    pki.init(str(keys))
    pki.issue("console", str(keys))
    cert, key, authority = (str(keys / name) for name in ("console.crt", "console.key", "ca.crt"))
    handed_out = base / "ca.crl"
    handed_out.write_bytes((keys / "ca.crl").read_bytes())
    tls = ClientTls.open(cert, key, authority, str(handed_out))
    return keys, handed_out, tls


def test_a_list_that_is_read_while_it_is_written_is_read_again(tmp_path: Path) -> None:
    """Empty first, then whole, with one time: the clock of a filesystem stands still for some milliseconds."""
    keys, handed_out, tls = _opened(tmp_path)
    before = tls.context.cert_store_stats()["crl"]
    pki.revoke("console", str(keys))
    for content in (b"", (keys / "ca.crl").read_bytes()):
        handed_out.write_bytes(content)
        os.utime(handed_out, ns=(7, 7))
        tls.refresh()
    assert before + 1 == tls.context.cert_store_stats()["crl"]


def test_a_list_that_is_gone_is_told_each_time_once(tmp_path: Path) -> None:
    """Whoever is revoked from then on would be let in, and nobody knew."""
    keys, handed_out, tls = _opened(tmp_path)
    with capture_logs() as told:
        for _ in range(2):
            handed_out.unlink()
            tls.refresh()
            tls.refresh()
            handed_out.write_bytes((keys / "ca.crl").read_bytes())
            tls.refresh()
    assert ["error", "info"] * 2 == [one["log_level"] for one in told]


def test_each_list_is_of_another_second(tmp_path: Path) -> None:
    """OpenSSL goes by the first of two lists with one date: who was revoked right after another would be let in."""
    keys = tmp_path / "pki"
    pki.init(str(keys))
    for name in ("one", "other"):
        pki.issue(name, str(keys))
    dates = []
    for name in ("one", "other"):
        pki.revoke(name, str(keys))
        dates.append(x509.load_pem_x509_crl((keys / "ca.crl").read_bytes()).last_update_utc)
    assert dates[0] < dates[1] <= datetime.now(UTC)
