"""Certificates that are not accepted: named on the node that can act, no byte replicated, and on it goes once they are right."""

from __future__ import annotations

import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography import x509

from agent import pki
from agent.core.errors import Exit
from fakes.agents import Agent, Pair, pair
from fakes.eventually import eventually
from fakes.proxy import proxy

DAY_NS = 86_400 * 10**9


def reissue(both: Pair, agent: Agent, seconds_left: int) -> None:
    """Give the node a certificate that ends in so many seconds (or ended, below zero)."""
    (both.keys / f"{agent.name}.crt").unlink()
    made = time.time_ns() - DAY_NS + seconds_left * 10**9
    pki.issue(agent.name, str(both.keys), ["127.0.0.1"], 1, now_ns=made)
    both.hand_out(agent)


def renew(both: Pair, agent: Agent) -> None:
    """What an operator does: renew where the authority is, copy the files over the old ones."""
    pki.renew(agent.name, str(both.keys))
    both.hand_out(agent)


def call_again(both: Pair) -> None:
    """End the call that is going on, so that another is made."""
    assert 0 == both.alpha.run("pause", "web", "--send").returncode
    both.alpha.connected(False)
    assert 0 == both.alpha.run("resume", "web", "--send").returncode


def served_serial(both: Pair) -> str:
    """The serial of the certificate that beta shows now."""
    keys = both.alpha.pki
    context = ssl.create_default_context(cafile=str(keys / "ca.crt"))
    context.load_cert_chain(str(keys / "alpha.crt"), str(keys / "alpha.key"))
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", both.beta.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="beta") as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    assert shown is not None
    return f"{x509.load_der_x509_certificate(shown).serial_number:x}"


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Small files, one after the other, until the block ends."""
    stop = Event()

    def write() -> None:
        for number in range(100_000):
            (directory / f"live{number % 50}").write_text(str(number))
            if stop.wait(0.005):
                return

    thread = Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("node", ["alpha", "beta"])
def test_an_agent_whose_certificate_has_expired_stays_up_and_serves_no_peer(node: str) -> None:
    """It says so with what to type, in status and in its log; changes are captured meanwhile, and with a new certificate it goes
    on without a restart."""
    with pair() as both:
        (both.source / "file").write_text("content")
        agent = both.alpha if node == "alpha" else both.beta
        reissue(both, agent, -60)
        both.start()
        assert f"hikae pki renew {node}" in agent.told("certificate", "expired")["remedy"]
        assert [Exit.CONFIG, True] == [
            agent.run("config", "check").returncode,
            "until this is mended no peer is served" in agent.tail(),
        ]
        both.alpha.connected(False)
        renew(both, agent)
        both.mirror()
        agent.cleared("certificate")
        assert "Traceback" not in agent.tail(1000)


def test_a_certificate_that_expires_while_running_is_named_and_renewed() -> None:
    """Warned of before, an error after; the next call is refused and named; a copied renewal clears it without a restart."""
    with pair() as both:
        (both.source / "file").write_text("before")
        both.begin()
        reissue(both, both.alpha, 86_400)
        assert "warning" == both.alpha.told("certificate", "days more")["severity"]
        reissue(both, both.alpha, 4)
        both.alpha.told("certificate", "expired")
        call_again(both)
        both.alpha.told("disconnected", "expired")
        both.alpha.connected(False)
        (both.source / "file").write_text("after")
        renew(both, both.alpha)
        both.mirror()
        both.alpha.cleared("certificate", "disconnected")


def test_another_authority_is_named_on_the_primary() -> None:
    """A secondary with a certificate of another CA gets nothing; with one of ours it does."""
    with pair() as both:
        (both.source / "file").write_text("content")
        strange = both.base / "strange"
        pki.init(str(strange))
        pki.issue("beta", str(strange), ["127.0.0.1"])
        for name in ("ca.crt", "ca.crl", "beta.crt", "beta.key"):
            shutil.copyfile(strange / name, both.beta.pki / name)
        both.start()
        both.alpha.told("disconnected", "beta", "another CA")
        assert both.beta.up()["datasets"][0]["commit"] is None
        both.hand_out(both.beta)
        both.beta.restart()
        both.mirror()
        both.alpha.cleared("disconnected")


def test_a_certificate_for_another_name_is_named() -> None:
    """What answers at the peer's address proves another name: nothing is sent there. Own files for another name serve no peer."""
    with pair() as both, proxy(both.alpha.port) as wire:
        text = both.alpha.config.read_text()
        both.reach_beta_through(wire.port)
        both.alpha.start()
        both.alpha.told("disconnected", "another name than 'beta'")
        for kind in ("crt", "key"):
            shutil.copyfile(both.keys / f"alpha.{kind}", both.beta.pki / f"beta.{kind}")
        both.beta.start()
        both.beta.told("certificate", "beta", 'is for "alpha"')
        both.hand_out(both.beta)
        both.beta.cleared("certificate")
        both.alpha.config.write_text(text)
        both.alpha.restart()
        both.mirror()


def test_a_revoked_primary_is_refused_at_its_next_call() -> None:
    """Revoked while both run: the list is read without a restart, the refusal is named, a new certificate goes on."""
    with pair() as both:
        both.begin()
        pki.revoke("alpha", str(both.keys))
        shutil.copyfile(both.keys / "ca.crl", both.beta.pki / "ca.crl")
        call_again(both)
        both.alpha.told("identity", "revoked")
        both.alpha.connected(False)
        (both.source / "file").write_text("waits")
        pki.issue("alpha", str(both.keys), ["127.0.0.1"])
        both.hand_out(both.alpha)
        both.mirror()
        both.alpha.cleared("identity")


def test_a_revoked_secondary_is_not_talked_to() -> None:
    """The primary has the newer list: it sends nothing to the revoked node, says so, and goes on with its new certificate."""
    with pair() as both:
        both.begin()
        pki.revoke("beta", str(both.keys))
        shutil.copyfile(both.keys / "ca.crl", both.alpha.pki / "ca.crl")
        call_again(both)
        both.alpha.told("disconnected", "revoked")
        (both.source / "file").write_text("waits")
        pki.issue("beta", str(both.keys), ["127.0.0.1"])
        both.hand_out(both.beta)
        both.mirror()
        both.alpha.cleared("disconnected")


def test_renewal_without_downtime() -> None:
    """Files of both nodes replaced while writes go on: the call lives, new connections see the new serials."""
    with pair() as both:
        both.begin()
        eventually(lambda: "streaming" == both.alpha.peer("beta")["mode"])
        since = both.alpha.look()["peers"][0]["since"]
        before = served_serial(both)
        with writing(both.source):
            renew(both, both.alpha)
            renew(both, both.beta)
            after = eventually(lambda: served_serial(both) if served_serial(both) != before else "")
        assert next(one.serial for one in pki.show(str(both.keys)) if one.name == "beta") == after
        both.mirror()
        assert since == both.alpha.look()["peers"][0]["since"]
        call_again(both)
        (both.source / "later").write_text("over a new connection")
        both.mirror()
        both.alpha.cleared("disconnected")
        assert not both.alpha.problems()
