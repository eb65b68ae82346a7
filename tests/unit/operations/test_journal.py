"""Who typed what."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.api.client import AdminClient
from agent.api.server import AdminServer
from agent.core.errors import HikaeError, Refused, TryAgain
from agent.operations.configuring import ReloadRequest
from agent.operations.declaration import Operation, Request
from agent.operations.families import OPERATIONS
from agent.operations.journal import Caller, typed_event
from agent.operations.pausing import PauseRequest
from agent.operations.reading import StatusRequest
from agent.operations.role_changes.serving import FenceRequest
from agent.operations.verifying import VerifyRequest
from agent.status.events import Event
from fakes.api_fakes import FakeControls
from fakes.requests import requests_of


@pytest.mark.parametrize("operation", [one for one in OPERATIONS.values() if one.can_change], ids=lambda one: one.name)
def test_every_operation_that_changes_something_is_told_once(operation: Operation, tmpfs_dir: Path) -> None:
    """Over a real socket, with the user that the kernel names; a call of it that changes nothing is not told."""
    told: list[Event] = []

    def journal(caller: Caller, request: Request[Any], error: HikaeError | None = None) -> None:
        event = typed_event(caller, request, error)
        told.extend([event] if event is not None else [])

    path = str(tmpfs_dir / "admin.sock")
    server = AdminServer(path, FakeControls(), journal)
    server.start()
    try:
        for request in requests_of(operation):
            before = len(told)
            AdminClient(path, silence=5).ask(request)
            assert len(told) - before == (1 if operation.changes(request) else 0)
    finally:
        server.stop()
    assert told
    for event in told:
        assert event.code == "operator"
        assert f"uid {os.getuid()}" in event.message
        assert f"typed: {operation.command}" in event.message


@pytest.mark.parametrize(
    ("failure", "ended"),
    [
        (
            Refused("pause", "web", "apply is not here\nnor there"),
            "refused (exit code 3): apply is not here\\nnor there",
        ),
        (TryAgain("pause", "web", "its disk is full"), "failed (exit code 75): its disk is full"),
        (RuntimeError("a mistake of ours"), "failed (exit code 1): this is a bug in hikae"),
    ],
)
def test_what_was_not_done_is_told_so(failure: Exception, ended: str, tmpfs_dir: Path) -> None:
    """Each is told before it is done, and once more with its end; a question that fails is not told."""
    told: list[str] = []

    def journal(caller: Caller, request: Request[Any], error: HikaeError | None = None) -> None:
        event = typed_event(caller, request, error)
        told.extend([event.message.partition("typed: ")[2]] if event is not None else [])

    controls = FakeControls()
    controls.failure = failure
    path = str(tmpfs_dir / "admin.sock")
    server = AdminServer(path, controls, journal)
    server.start()
    try:
        for request in (PauseRequest("web", "apply"), VerifyRequest("web", repair=True), StatusRequest()):
            with pytest.raises(HikaeError):
                AdminClient(path, silence=5).ask(request)
    finally:
        server.stop()
    pause, verify = "pause web (what=apply)", "verify web (repair=True)"
    assert [pause, f"{pause}: {ended}", verify, f"{verify}: {ended}"] == told


def test_an_argument_without_end_is_told_to_its_bound() -> None:
    """Another node may have said it, again and again."""
    event = typed_event(Caller(0), FenceRequest("web", reason="a\nb\x1b[2J" + "x" * 60_000))
    assert event is not None
    assert f"root (uid 0) typed: fence web (reason=a\\nb\\x1b[2J{'x' * 189}…)" == event.message


def test_what_is_unusual_is_told() -> None:
    """Arguments that are as always are not."""
    assert [typed_event(Caller(0), PauseRequest("web", "send", 60.0)), typed_event(Caller(0, 0), ReloadRequest())] == [
        Event("web", "operator", "root (uid 0) typed: pause web (what=send, seconds=60.0)"),
        Event("", "operator", "root (uid 0) typed: reload"),
    ]


def test_who_logged_in_is_told_where_it_is_another() -> None:
    """`sudo` hides it; a user without a name is a number."""
    event = typed_event(Caller(0, 4_000_000_000), ReloadRequest())
    assert event is not None
    assert event.message == "root (uid 0), logged in as uid 4000000000 typed: reload"


def test_reading_is_not_told() -> None:
    """A monitoring system asks each minute."""
    assert typed_event(Caller(0), StatusRequest()) is None


def test_no_user_is_looked_up_for_what_is_not_told() -> None:
    """Programs ask each second: a look into the users' file is for what stands in the journal."""
    looked: list[str] = []

    def called(_frame: object, event: str, argument: object) -> None:
        if event == "c_call" and getattr(argument, "__name__", "") == "getpwuid":
            looked.append("getpwuid")

    sys.setprofile(called)
    try:
        told = typed_event(Caller(0), StatusRequest()), typed_event(Caller(0), ReloadRequest())
    finally:
        sys.setprofile(None)
    assert ([True, False], ["getpwuid"]) == ([one is None for one in told], looked)
