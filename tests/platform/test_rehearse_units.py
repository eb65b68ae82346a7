"""Service units of a probe: their programs are begun on the stage as the units say, and nothing of it gets out."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.node.rehearsing.on_stage import PLACE, Probe, ProbeEnd, Stage
from agent.roles.rehearsal.unit_text import unit_program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}
_READY = "import os, socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])"


@pytest.fixture
def standby(tmp_path: Path) -> Path:
    """A tree of one file."""
    found = tmp_path / "standby"
    found.mkdir()
    (found / "content").write_text("as it was\n")
    found.chmod(0o777)
    return found


def _tried(standby: Path, service: Sequence[str], *words: str, timeout: float = 60.0) -> ProbeEnd:
    """How it ended; nothing of the view is left, and the standby is as it was."""
    home, before = standby.parent / "state", sorted(os.listdir(standby))
    home.mkdir()
    stage = Stage(home, (str(home),), lambda: ())
    unit = unit_program("shop.service", "\n".join(("[Service]", *service)))
    try:
        found = stage.run(Probe("web", str(standby), False, words, _ENVIRONMENT, timeout, (unit,)), lambda: False)
    finally:
        stage.clear()
    assert (False, before) == ((home / PLACE).exists(), sorted(os.listdir(standby)))
    return found


def test_a_program_tries_what_a_unit_serves(standby: Path) -> None:
    """The unit's program writes into the view, by its user and in its directory; what runs before it has ended by then."""
    service = (
        "User=nobody",
        "WorkingDirectory=" + str(standby),
        "RuntimeDirectory=shop",
        "Environment=WHO=shop",
        "ExecStartPre=/bin/sh -c 'echo before >first'",
        "ExecStart=/bin/sh -c 'cat first content >served; echo $WHO >>served; id -un >/run/shop/who; exec sleep 600'",
    )
    # That it runs for a second does not say how far it is.
    script = f"until test -s /run/shop/who; do sleep 0.1; done; cat {standby}/served /run/shop/who"
    found = _tried(standby, [one.replace("$WHO", "${WHO}") for one in service], "sh", "-c", script)
    assert (0, None) == (found.exit, found.failure), found.said
    assert "before\nas it was\nshop\nnobody" in found.said


def test_who_says_that_it_is_ready_is_waited_for(standby: Path) -> None:
    """Without a program it is enough that all units begin."""
    found = _tried(
        standby, ("Type=notify", f"""ExecStart=/usr/bin/env python3 -c "{_READY}; import time; time.sleep(600)" """)
    )
    assert (0, True) == (found.exit, "shop.service is begun" in found.said), found.said


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (("ExecStart=/bin/sh -c 'exit 3'",), "shop.service does not run any more: exit code 3"),
        (("ExecStartPre=/bin/false", "ExecStart=/bin/sleep 600"), "shop.service: /bin/false: exit code 1"),
        (
            ("Type=notify", "TimeoutStartSec=1", "ExecStart=/bin/sleep 600"),
            "did not say within its time that it is ready",
        ),
        (("Type=oneshot", "TimeoutStartSec=1", "ExecStart=/bin/sleep 600"), "/bin/sleep did not end within its time"),
        (("User=no-such-user", "ExecStart=/bin/true"), "there is no user no-such-user on this node"),
        (("ExecStart=/no/such/program",), "/no/such/program"),
        (("EnvironmentFile=/no/such/file", "ExecStart=/bin/sleep 600"), "/no/such/file"),
    ],
)
def test_a_unit_that_does_not_begin_fails_the_probe(standby: Path, service: Sequence[str], said: str) -> None:
    """By its name, with what it was; the program is not run."""
    found = _tried(standby, service, "sh", "-c", "echo never")
    assert (1, True, False) == (found.exit, said in found.said, "never" in found.said), found.said


def test_a_units_program_reaches_nobody(standby: Path) -> None:
    """It is behind the walls of every probe: neither a socket of this machine's network nor one that has a path."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        place = standby / "socket"
        unix.bind(str(place))
        unix.listen()
        script = (
            "import socket\n"
            f"for family, address in ((socket.AF_INET, {tcp.getsockname()!r}), (socket.AF_UNIX, {str(place)!r})):\n"
            "    try: socket.socket(family).connect(address); print('reached', address)\n"
            "    except OSError as error: print('not reached')\n"
        )
        (standby / "tries.py").write_text(script)
        found = _tried(standby, ("Type=oneshot", f"ExecStart=/usr/bin/env python3 {standby}/tries.py"))
    assert (0, 2, False) == (found.exit, found.said.count("not reached"), " reached (" in found.said), found.said
