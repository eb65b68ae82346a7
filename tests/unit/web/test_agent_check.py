"""HAProxy's agent-check."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.status.facts import DatasetFacts
from agent.status.state import Role
from agent.web.agent_check import AgentCheckLimits, verdict
from agent.web.looking import StateLook
from agent.web.service import WebLimits
from fakes.api_fakes import a_dataset, a_node
from fakes.web_fakes import STANDBY, a_look, publish, said, served

WEB = a_dataset()


def _moving(dataset: DatasetFacts, moving: object) -> StateLook:
    look = a_look(a_node(dataset))
    assert look.value is not None
    return StateLook(
        {**look.value, "datasets": [{**one, "state": "moving", "moving": moving} for one in look.value["datasets"]]},
        0.5,
    )


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (WEB, "up ready"),
        (STANDBY, "maint"),
        (a_dataset(role=Role.FENCED, rewound=True), "down #fenced"),
        (a_dataset(rewound=True), "down #rewound"),
        (a_dataset(unconfirmed=True), "down #unconfirmed"),
    ],
)
def test_each_state_has_its_line(dataset: DatasetFacts, expected: str) -> None:
    """Up where it serves; a standby is no alarm; the rest is down and says why."""
    assert expected == verdict(a_look(a_node(dataset)), "")


def test_a_change_of_role_drains() -> None:
    """While the role changes here nobody new is sent there, on either side; that it does on another node, as where the old
    primary rejoins, drains no node that serves."""
    here = {"what": "a switchover", "step": "stop"}
    assert ["drain", "drain"] == [verdict(_moving(dataset, here), "") for dataset in (WEB, STANDBY)]
    assert ["up ready", "maint"] == [verdict(_moving(dataset, None), "") for dataset in (WEB, STANDBY)]


def test_a_stale_state_is_down() -> None:
    """Of an agent that says nothing any more, nothing is believed."""
    assert "down #the agent's state is stale" == verdict(a_look(a_node(WEB), age=15.1), "web")


def test_names_are_datasets_then_groups() -> None:
    """A dataset's own name counts before a group's; one of a group that is down takes it down; a slip is down and says so."""
    look = a_look(a_node(WEB, STANDBY, a_dataset("db", group="shop", unconfirmed=True), a_dataset("shop", group=None)))
    lines = [verdict(look, name) for name in ("web", "post", "shop", "nix\x07")]
    assert ["up ready", "maint", "up ready", "down #no dataset or group nix\\x07 here"] == lines
    without = a_look(a_node(WEB, a_dataset("db", group="shop", unconfirmed=True)))
    assert "down #unconfirmed" == verdict(without, "shop")


@pytest.mark.parametrize("sent", [b"web\n", b"shop\r\n", b"", b"web"])
def test_a_line_or_none_is_answered(tmp_path: Path, sent: bytes) -> None:
    """``agent-send`` names whom; who sends nothing, or no end of the line, is answered after a moment."""
    publish(tmp_path, a_node(WEB))
    limits = WebLimits(agent_check=AgentCheckLimits(line_seconds=0.2))

    async def ask() -> bytes:
        async with served(tmp_path, limits) as ports:
            return await said(ports.agent_check, sent)

    assert b"up ready\n" == asyncio.run(ask())


def test_who_sends_too_much_is_answered_at_once(tmp_path: Path) -> None:
    """A line without an end is read up to its bound, and is nobody's name."""
    publish(tmp_path, a_node(WEB))
    limits = WebLimits(agent_check=AgentCheckLimits(line_seconds=600.0))

    async def ask() -> bytes:
        async with served(tmp_path, limits) as ports:
            return await said(ports.agent_check, b"x" * 256)

    assert b"down #no dataset or group " + b"x" * 256 + b" here\n" == asyncio.run(ask())


def test_who_says_nothing_keeps_nobody_from_an_answer(tmp_path: Path) -> None:
    """Of more connections than there may be the one that has waited longest goes."""
    publish(tmp_path, a_node(WEB))
    limits = WebLimits(agent_check=AgentCheckLimits(line_seconds=600.0, connections=4))

    async def ask() -> tuple[bytes, bytes]:
        async with served(tmp_path, limits) as ports:
            silent = [await asyncio.open_connection("127.0.0.1", ports.agent_check) for _ in range(4)]
            answer = await said(ports.agent_check, b"web\n")
            async with asyncio.timeout(20):
                try:
                    cut = await silent[0][0].read()
                except ConnectionError:
                    cut = b""
            for _, writer in silent:
                writer.close()
            return answer, cut

    assert (b"up ready\n", b"") == asyncio.run(ask())
