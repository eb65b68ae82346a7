"""What the second process reads and binds before it serves."""

from __future__ import annotations

import os
import socket
from functools import partial
from operator import sub
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.core.errors import ConfigError, Refused
from agent.web.access import Gatekeeper
from agent.web.listening import listen_at
from agent.web.looking import StateFile, StatePlace
from agent.web.start import BESIDE, WebSettings, end_the_one_before, start_web, token_of
from fakes.api_fakes import a_dataset, a_node
from fakes.web_fakes import publish

GOOD = b"0123456789abcdef"


@pytest.mark.parametrize(
    "written", [b"", b"short", b"two words of a token", b"x" * 5000, b"t\xc3\xb6ken-with-umlaut-in"]
)
def test_a_token_that_is_none_is_refused(tmp_path: Path, written: bytes) -> None:
    """Nobody is let in by an empty line; the remedy makes a good one."""
    path = tmp_path / "token"
    path.write_bytes(written)
    with pytest.raises(ConfigError, match="openssl rand"):
        token_of(str(path))


def test_a_token_comes_without_the_end_of_its_line(tmp_path: Path) -> None:
    """As editors and openssl write it. A file that is not there is refused."""
    path = tmp_path / "token"
    path.write_bytes(GOOD + b"\n")
    assert GOOD == token_of(str(path))
    with pytest.raises(ConfigError, match="No such file"):
        token_of(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"authorization", b"Bearer " + GOOD)], True),
        ([(b"authorization", b"bearer  " + GOOD)], True),
        ([(b"authorization", b"Basic " + GOOD)], False),
        ([(b"authorization", b"Bearer " + GOOD[:-1])], False),
        ([(b"authorization", b"Bearer ")], False),
        ([(b"authorization", b"Bearer " + GOOD)] * 2, False),
        ([], False),
    ],
)
def test_only_the_token_lets_in(headers: list[tuple[bytes, bytes]], expected: bool) -> None:
    """By its own scheme, once."""
    assert expected == Gatekeeper(GOOD, full=True).lets_in(headers)


def test_an_address_that_is_taken_is_refused_in_words() -> None:
    """With the key of the configuration and what to type; one that becomes free in time is had."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Refused, match=r"health\.listen.*taken.*ss -ltnp"):
            listen_at("health.listen", address)
        listen_at("health.listen", address, within=20.0, rest=lambda _: taken.close()).close()


@pytest.mark.parametrize(
    ("address", "words"), [("192.0.2.1:1", "no address of this machine"), ("no.such.invalid:1", "no host")]
)
def test_an_address_that_is_not_ours_is_refused(address: str, words: str) -> None:
    """And never waited for."""
    with pytest.raises((Refused, ConfigError), match=words):
        listen_at("health.listen", address)


def test_a_state_is_read_once_for_each_time_it_was_written(tmp_path: Path) -> None:
    """The same value comes back while the file is the same; a new file is read at once."""
    publish(tmp_path, a_node(a_dataset()))
    state = StateFile(StatePlace(str(tmp_path)), "state.json")
    first, again = state.look().value, state.look().value
    publish(tmp_path, a_node(a_dataset(unconfirmed=True)))
    newer = state.look().value
    assert first is again
    assert newer is not None
    assert "unconfirmed" == newer["datasets"][0]["state"]


def test_a_clock_that_went_back_makes_no_negative_age(tmp_path: Path) -> None:
    """A state from the near future is of now; one from far ahead is of an agent that lives no more, and sends nobody here."""
    publish(tmp_path, a_node(a_dataset()))
    said = (tmp_path / "state.json").stat().st_mtime
    for ahead, fresh in ((1.0, True), (86_400.0, False)):
        look = StateFile(StatePlace(str(tmp_path)), "state.json", now=partial(sub, said, ahead)).look()
        assert (fresh, 0.0 if fresh else float("inf")) == (look.fresh is not None, look.age)


@pytest.mark.parametrize(("mode", "told"), [(0o640, 0), (0o644, 1)])
def test_a_token_that_everybody_can_read_is_told(tmp_path: Path, mode: int, told: int) -> None:
    """It lets in all the same: it is the operator's to say who may."""
    (tmp_path / "token").write_text("0123456789abcdef0123")
    (tmp_path / "token").chmod(mode)
    with capture_logs() as logs:
        assert b"0123456789abcdef0123" == token_of(str(tmp_path / "token"))
    assert told == len(logs)


@pytest.mark.parametrize("own", [None, "node.key", "link.key"])
def test_the_console_never_holds_the_nodes_key(tmp_path: Path, own: str | None) -> None:
    """Whoever takes this process over would speak to peers as the node; said before anything is listened at."""
    (tmp_path / "node.key").write_text("k")
    (tmp_path / "link.key").symlink_to("node.key")
    cert, key = (str(tmp_path / "c.crt"), str(tmp_path / own)) if own is not None else (None, None)
    nowhere, node_key = "127.0.0.1:0", str(tmp_path / "node.key")
    settings = WebSettings(
        str(tmp_path), nowhere, None, nowhere, None, cert, key, str(tmp_path / "ca.crt"), None, node_key
    )
    with pytest.raises(ConfigError, match="a key of its own"):
        start_web(settings)


def test_who_serves_is_written_through_nobodys_link(tmp_path: Path) -> None:
    """It is written while privileges are there still."""
    (tmp_path / "precious").write_text("kept")
    (tmp_path / BESIDE).symlink_to("precious")
    end_the_one_before(str(tmp_path))
    (tmp_path / BESIDE).unlink()
    end_the_one_before(str(tmp_path))
    assert ("kept", f"{os.getpid()}\n") == ((tmp_path / "precious").read_text(), (tmp_path / BESIDE).read_text())
