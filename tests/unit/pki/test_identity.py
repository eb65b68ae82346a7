"""What is accepted of a node's files, a peer's certificate and its proof, and what is said when it is not."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from agent import pki
from agent.core.errors import ConfigError, Exit
from agent.pki.identity import NEXT_KEY

DAY = 86_400 * 10**9
NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 10**9
NONCE = bytes(range(32))


@pytest.fixture
def authority(tmp_path: Path) -> str:
    """A directory with an authority and the nodes alpha and beta."""
    directory = str(tmp_path / "pki")
    pki.init(directory, NOW)
    for name in ("alpha", "beta"):
        pki.issue(name, directory, now_ns=NOW)
    return directory


def _crl(directory: str) -> pki.RevocationList:
    return pki.RevocationList(f"{directory}/ca.crl", f"{directory}/ca.crt")


def _load(
    directory: str, name: str = "alpha", *, key: str = "", ca: str = "", expected: str | None = "alpha", now: int = NOW
) -> pki.NodeIdentity:
    return pki.load_identity(
        f"{directory}/{name}.crt",
        key or f"{directory}/{name}.key",
        f"{ca or directory}/ca.crt",
        _crl(directory),
        now,
        expected,
    )


def test_a_good_identity(authority: str) -> None:
    """Name, serial, end and the three PEM texts."""
    identity = _load(authority)
    info = pki.show(authority, now_ns=NOW)[1]
    assert ("alpha", info.serial, info.not_after) == (identity.name, identity.serial, identity.not_after)
    assert Path(authority, "alpha.key").read_bytes() == identity.key_pem
    assert NOW + 365 * DAY == pki.expires(f"{authority}/alpha.crt")


def _other(authority: str) -> str:
    directory = authority + "-other"
    pki.init(directory, NOW)
    return directory


REFUSED: list[tuple[Callable[[str], object], str, str]] = [
    (
        lambda d: _load(d, now=NOW + 365 * DAY),
        "certificate-expired",
        'cannot accept the certificate ("alpha"): it expired on 2027-11-22 12:00:00 UTC; '
        "type where the CA key is: hikae pki renew alpha, and copy both files",
    ),
    (
        lambda d: _load(d, now=NOW - DAY),
        "certificate-not-yet-valid",
        'cannot accept the certificate ("alpha"): its authority\'s certificate is not valid before 2026-11-22 11:00:00 UTC; '
        "set this machine's clock, or issue it anew",
    ),
    (
        lambda d: _load(d, "beta"),
        "certificate-wrong-name",
        'cannot accept the certificate ("alpha"): it is for "beta"; '
        "use the certificate of alpha, or correct the name in the configuration",
    ),
    (
        lambda d: _load(d, ca=_other(d)),
        "certificate-wrong-ca",
        'cannot accept the certificate ("alpha"): it is not of the configured authority; '
        "issue it with the authority that all nodes have, or give all nodes the same ca.crt",
    ),
    (
        lambda d: (pki.revoke("alpha", d, now_ns=NOW), _load(d)),
        "certificate-revoked",
        'cannot accept the certificate ("alpha"): the certificate is revoked; issue a new one with: hikae pki issue alpha',
    ),
    (
        lambda d: _load(d, key=f"{d}/beta.key"),
        "key-mismatch",
        "cannot use the private key (pki/beta.key): the key does not belong to the certificate; "
        "copy pki/alpha.crt and pki/beta.key together again",
    ),
    (
        lambda d: _load(d, key=f"{d}/beta.crt"),
        "key-mismatch",
        "cannot read the private key (pki/beta.crt): there is no private key in PEM without a password in it",
    ),
    (
        lambda d: (Path(d, "alpha.crt").write_text("x"), _load(d)),
        "certificate-unreadable",
        "cannot read the certificate (pki/alpha.crt): there is no certificate in PEM in it",
    ),
    (
        lambda d: _load(d, "ca", expected=None),
        "certificate-wrong-use",
        'cannot accept the certificate ("hikae authority"): it is not for a node (server and client); '
        "issue it with: hikae pki issue",
    ),
]


@pytest.mark.parametrize(("act", "code", "message"), REFUSED, ids=[f"{n}-{row[1]}" for n, row in enumerate(REFUSED)])
def test_refusals(authority: str, tmp_path: Path, act: Callable[[str], object], code: str, message: str) -> None:
    """Each reason has its code, its sentence with the remedy, and the exit code of an identity that is not accepted."""
    with pytest.raises(pki.IdentityError) as caught:
        act(authority)
    assert message == str(caught.value).replace(f"{tmp_path}/", "")
    assert (code, Exit.NOT_PERMITTED) == (caught.value.code, caught.value.exit_code)


def test_absent_files_are_the_configurations_fault(authority: str) -> None:
    """A file that is not there is a mistake of the configuration."""
    with pytest.raises(ConfigError, match="No such file or directory; issue one with: hikae pki issue"):
        _load(authority, "gamma")


def test_a_node_is_no_authority(authority: str) -> None:
    """A certificate signed by a node's key is not of the authority, even where the node is taken for one."""
    with pytest.raises(pki.IdentityError, match="not of the configured authority"):
        pki.load_identity(
            f"{authority}/alpha.crt", f"{authority}/alpha.key", f"{authority}/beta.crt", _crl(authority), NOW, "alpha"
        )


def test_two_authorities_while_changing(authority: str, tmp_path: Path) -> None:
    """ca.crt may hold the old and the new authority while nodes change over."""
    other = _other(authority)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "ca.crt").write_bytes(Path(other, "ca.crt").read_bytes() + Path(authority, "ca.crt").read_bytes())
    assert "alpha" == _load(authority, ca=str(bundle)).name


def test_every_moment_of_a_renewal_is_a_pair(authority: str) -> None:
    """Between any two steps of a renewal, and after a crash there, key and certificate that are read belong together."""
    cert, key = Path(authority, "alpha.crt"), Path(authority, "alpha.key")
    old_cert, old_key = cert.read_bytes(), key.read_bytes()
    pki.renew("alpha", authority, now_ns=NOW)
    new_cert, new_key = cert.read_bytes(), key.read_bytes()
    beside = Path(f"{key}{NEXT_KEY}")
    assert not beside.exists()
    for cert_there, key_there, next_there, expected in [
        (old_cert, old_key, new_key, old_key),
        (new_cert, old_key, new_key, new_key),
        (new_cert, new_key, None, new_key),
    ]:
        cert.write_bytes(cert_there)
        key.write_bytes(key_there)
        if next_there is None:
            beside.unlink()
        else:
            beside.write_bytes(next_there)
            beside.chmod(0o600)
        identity = _load(authority)
        assert (cert_there, expected) == (identity.cert_pem, identity.key_pem)


def test_a_key_that_others_can_read_is_refused_until_it_is_closed(authority: str) -> None:
    """Who uses it is not known then; the remedy is the command."""
    key = Path(authority, "alpha.key")
    for mode in (0o644, 0o640, 0o604):
        key.chmod(mode)
        with pytest.raises(pki.IdentityError, match="can be read by others") as caught:
            _load(authority)
        assert caught.value.remedy == f"chmod 600 {key}"
    key.chmod(0o400)
    assert _load(authority).name == "alpha"


def test_a_renewal_after_one_that_was_cut_off(authority: str) -> None:
    """A renewal that was cut off before its last step is finished first: at no step is its key lost."""
    cert, key = Path(authority, "alpha.crt"), Path(authority, "alpha.key")
    old_key = key.read_bytes()
    pki.renew("alpha", authority, now_ns=NOW)
    key.rename(f"{key}{NEXT_KEY}")
    key.write_bytes(old_key)
    cut_off = cert.read_bytes()
    assert cut_off == _load(authority).cert_pem
    pki.renew("alpha", authority, now_ns=NOW)
    assert cut_off != _load(authority).cert_pem
    assert key.read_bytes() == _load(authority).key_pem


def test_a_proof_is_accepted(authority: str) -> None:
    """Whoever holds the key of an unrevoked certificate for the name is accepted."""
    beta = _load(authority, "beta", expected="beta")
    pki.verify_proof(
        beta.cert_pem, beta.ca_pem, _crl(authority), "beta", NONCE, pki.sign_proof(beta.key_pem, NONCE), NOW
    )


@pytest.mark.parametrize(
    ("name", "signer", "signed", "checked", "code"),
    [
        ("alpha", "beta", NONCE, NONCE, "certificate-wrong-name"),
        ("beta", "alpha", NONCE, NONCE, "proof-wrong"),
        ("beta", "beta", NONCE[::-1], NONCE, "proof-wrong"),
        ("beta", "beta", b"", b"", "proof-wrong"),
        ("beta", "beta", NONCE[:15], NONCE[:15], "proof-wrong"),
    ],
)
def test_a_proof_is_refused(authority: str, name: str, signer: str, signed: bytes, checked: bytes, code: str) -> None:
    """Another's certificate, another's key, another exchange's nonce, and a nonce that is too short prove nothing."""
    cert = Path(authority, f"{name}.crt").read_bytes()
    signature = pki.sign_proof(Path(authority, f"{signer}.key").read_bytes(), signed)
    ca = Path(authority, "ca.crt").read_bytes()
    with pytest.raises(pki.IdentityError) as caught:
        pki.verify_proof(cert, ca, _crl(authority), "beta", checked, signature, NOW)
    assert code == caught.value.code


def test_a_revoked_proof_is_refused(authority: str) -> None:
    """A certificate that is revoked while the agent runs proves nothing from then on."""
    beta, crl = _load(authority, "beta", expected="beta"), _crl(authority)
    signature = pki.sign_proof(beta.key_pem, NONCE)
    pki.verify_proof(beta.cert_pem, beta.ca_pem, crl, "beta", NONCE, signature, NOW)
    pki.revoke("beta", authority, now_ns=NOW)
    with pytest.raises(pki.IdentityError, match="the certificate is revoked"):
        pki.verify_proof(beta.cert_pem, beta.ca_pem, crl, "beta", NONCE, signature, NOW)


def test_a_foreign_certificate_for_the_right_name(authority: str) -> None:
    """Another authority's certificate for the very name is refused."""
    stranger = trustme.CA().issue_cert("beta", common_name="beta", key_type=trustme.KeyType.ECDSA)
    signature = pki.sign_proof(stranger.private_key_pem.bytes(), NONCE)
    cert, ca = stranger.cert_chain_pems[0].bytes(), Path(authority, "ca.crt").read_bytes()
    with pytest.raises(pki.IdentityError) as caught:
        pki.verify_proof(cert, ca, _crl(authority), "beta", NONCE, signature, NOW)
    assert "certificate-wrong-ca" == caught.value.code


def _replace(path: str, data: bytes) -> None:
    """Replace a file as tools do, so that its signature changes whatever the clock's grain."""
    Path(path + ".new").write_bytes(data)
    os.rename(path + ".new", path)


def _beta(authority: str) -> int:
    """The serial of beta's certificate."""
    return next(int(each.serial, 16) for each in pki.show(authority, now_ns=NOW) if each.name == "beta")


def _said(crl: pki.RevocationList, now: int = NOW) -> str:
    return " | ".join(map(str, crl.findings(now)))


def test_revocation_lists_that_are_not_believed(authority: str) -> None:
    """A list with a changed byte, of another authority, without a list in it, older than the last, or none at all: that is said,
    and whom the one before shut out stays out."""
    path, crl = Path(authority, "ca.crl"), _crl(authority)
    first = path.read_bytes()
    assert not crl.is_revoked(1)
    pki.revoke("beta", authority, now_ns=NOW + 10**9)
    second, serial = path.read_bytes(), _beta(authority)
    assert (True, "") == (crl.is_revoked(serial), _said(crl))
    foreign = Path(_other(authority), "ca.crl").read_bytes()
    for data, reason in [
        (foreign, "is not signed by the authority, but by another one; the one before stays in force"),
        (b"x", "there is no revocation list in PEM in it; the one before stays"),
        (_tampered(second), "it is not signed by the authority that it names; the one before stays"),
        (first, "(number 1 of 2026-11-22 12:00:00 UTC) is older than the one before; that one (number 2 of"),
    ]:
        _replace(str(path), data)
        assert [True, False] == [crl.is_revoked(serial), crl.is_revoked(1)]
        assert reason in _said(crl)
    path.unlink()
    assert [True, True] == [crl.is_revoked(serial), "is missing" in _said(crl)]
    _replace(str(path), second)
    assert (True, "") == (crl.is_revoked(serial), _said(crl))


@pytest.mark.parametrize("data", [b"x", b"", "tampered"])
def test_a_first_list_that_cannot_be_believed_lets_nobody_in(authority: str, data: bytes | str) -> None:
    """Whom it was to shut out cannot be known."""
    path = Path(authority, "ca.crl")
    path.write_bytes(_tampered(path.read_bytes()) if isinstance(data, str) else data)
    with pytest.raises(pki.IdentityError, match="nobody can be believed") as caught:
        _crl(authority).is_revoked(1)
    assert "crl-not-believed" == caught.value.code


def test_a_list_of_another_authority_where_none_was(authority: str) -> None:
    """It is said, and shuts nobody out: it says nothing of our nodes."""
    _replace(f"{authority}/ca.crl", Path(_other(authority), "ca.crl").read_bytes())
    crl = _crl(authority)
    assert (False, True) == (crl.is_revoked(_beta(authority)), "nobody is shut out" in _said(crl))


def test_a_list_past_its_time_is_said(authority: str) -> None:
    """It stays in force."""
    crl = _crl(authority)
    pki.revoke("beta", authority, now_ns=NOW)
    assert (True, "") == (crl.is_revoked(_beta(authority)), _said(crl))
    assert "was to be replaced by 2036-" in _said(crl, NOW + 4000 * DAY)


def _tampered(pem: bytes) -> bytes:
    """The same list with another bit in its signature, the last thing in it."""
    lines = pem.decode().strip().splitlines()
    body = bytearray(base64.b64decode("".join(lines[1:-1])))
    body[-1] ^= 1
    return f"{lines[0]}\n{base64.b64encode(body).decode()}\n{lines[-1]}\n".encode()


def test_a_list_is_remembered_over_a_restart(authority: str, tmp_path: Path) -> None:
    """Where the newest is kept, neither a missing file nor an older one brings a revoked certificate back; without that, and on a
    node that never had a list, nothing is revoked."""
    kept, path = str(tmp_path / "revoked.pem"), Path(authority, "ca.crl")
    first = path.read_bytes()
    pki.revoke("beta", authority, now_ns=NOW)
    serial = _beta(authority)

    def started(keeps: bool = True) -> pki.RevocationList:
        return pki.RevocationList(str(path), f"{authority}/ca.crt", kept, keeps=keeps)

    assert started().is_revoked(serial)
    path.unlink()
    assert (True, False) == (started().is_revoked(serial), _crl(authority).is_revoked(serial))
    assert "is missing" in _said(started(keeps=False))
    path.symlink_to("/nonexistent")
    assert started().is_revoked(serial)
    path.unlink()
    path.write_bytes(first)
    assert (True, True) == (started().is_revoked(serial), "older" in _said(started(keeps=False)))


def test_a_memory_that_is_damaged_is_made_anew_or_said(authority: str, tmp_path: Path) -> None:
    """With a list that is believed it is written again; without one nobody is let in."""
    kept, path = tmp_path / "revoked.pem", Path(authority, "ca.crl")
    kept.write_bytes(b"damaged")
    crl = pki.RevocationList(str(path), f"{authority}/ca.crt", str(kept))
    assert (False, path.read_bytes().strip()) == (crl.is_revoked(1), kept.read_bytes().strip())
    kept.write_bytes(b"damaged")
    path.unlink()
    with pytest.raises(pki.IdentityError, match="that was kept"):
        pki.RevocationList(str(path), f"{authority}/ca.crt", str(kept)).is_revoked(1)


def test_what_only_looks_writes_nothing(authority: str, tmp_path: Path) -> None:
    """``config check`` may be typed by anybody, while the agent runs."""
    kept = tmp_path / "revoked.pem"
    pki.RevocationList(f"{authority}/ca.crl", f"{authority}/ca.crt", str(kept), keeps=False).is_revoked(1)
    assert not kept.exists()
