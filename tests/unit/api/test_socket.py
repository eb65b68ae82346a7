"""Client and server over a real socket, with an agent that is not there."""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.api.client import AdminClient
from agent.api.server import AdminLimits, AdminServer
from agent.core.errors import Exit, HikaeError, NotFound, NotPermitted, Refused, TryAgain, Unreachable
from agent.operations.configuring import ReloadRequest
from agent.operations.declaration import Json, Progress, Request
from agent.operations.holding import AcceptRequest
from agent.operations.pausing import PauseRequest, ResumeRequest
from agent.operations.reading import EventsRequest, StatusRequest
from agent.operations.verifying import VerifyRequest
from agent.operations.waiting import ReconcileRequest, WaitRequest
from fakes.api_fakes import FakeControls, unheard


@pytest.fixture
def controls() -> FakeControls:
    """What the server serves."""
    return FakeControls()


@pytest.fixture
def path(tmpfs_dir: Path) -> str:
    """Where the socket is; short enough for one."""
    return str(tmpfs_dir / "admin.sock")


@pytest.fixture
def client(controls: FakeControls, path: str) -> Iterator[AdminClient]:
    """A client of a server that runs."""
    server = AdminServer(path, controls, unheard)
    server.start()
    yield AdminClient(path, silence=5)
    server.stop()


def raw(path: str, request: bytes) -> bytes:
    """What the server answers to these bytes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_every_call_arrives_and_its_answer_comes_back(client: AdminClient, controls: FakeControls) -> None:
    """The far side is asked with the same arguments, and answers as if it were here."""
    local, told, said = FakeControls(), list[Json](), list[Json]()
    controls.rows = local.rows = [{"id": number} for number in range(5)]
    answers: dict[str, list[object]] = {}
    for side, one, progress in (("here", local, said.append), ("there", client, told.append)):
        answers[side] = [
            one.ask(StatusRequest()),
            one.ask(EventsRequest(1, 2)),
            one.ask(WaitRequest("web", "applied", 2.5), progress),
            one.ask(WaitRequest("web", "durable"), progress),
            one.ask(VerifyRequest("web", deep=True), progress),
            one.ask(ReconcileRequest("web"), progress),
            one.ask(PauseRequest("web", "send", 7200.0)),
            one.ask(ResumeRequest("web")),
            one.ask(AcceptRequest("web")),
            one.ask(ReloadRequest()),
        ]
    assert answers["here"] == answers["there"]
    assert local.calls == controls.calls
    assert (said, 4) == (told, len(told))


@pytest.mark.parametrize("kind", [NotFound, TryAgain, HikaeError])
def test_errors_come_back_as_they_were(client: AdminClient, controls: FakeControls, kind: type[HikaeError]) -> None:
    """Kind, words and exit code survive, for readings and for actions."""
    controls.failure = kind("wait", "web", "it \x1b failed", "do this")
    requests: tuple[Request[Any], ...] = (StatusRequest(), AcceptRequest("web"), PauseRequest("web"))
    for request in requests:
        with pytest.raises(kind) as caught:
            client.ask(request)
        assert (controls.failure.args, kind) == (caught.value.args, type(caught.value))


def test_a_refusal_keeps_its_gates(client: AdminClient, controls: FakeControls) -> None:
    """Each gate comes back."""
    controls.failure = Refused("accept", "web", "no hold", gates=({"name": "held", "ok": False, "value": 0},))
    with pytest.raises(Refused) as caught:
        client.ask(AcceptRequest("web"))
    assert controls.failure.gates == caught.value.gates


def test_a_bug_in_the_agent_is_an_answer(client: AdminClient, controls: FakeControls) -> None:
    """An exception that nobody expected does not leave the caller without an answer."""
    controls.failure = ZeroDivisionError("oops")
    with pytest.raises(HikaeError, match="this is a bug in hikae"):
        client.ask(ReconcileRequest("web"))


def test_odd_dataset_names_arrive(client: AdminClient) -> None:
    """A name is escaped on its way and named in the error."""
    with pytest.raises(NotFound, match="a/b%2f c") as caught:
        client.ask(AcceptRequest("a/b%2f c"))
    assert "a/b%2f c" == caught.value.subject


def test_the_socket_is_ours_alone(client: AdminClient, path: str) -> None:
    """Mode 0600 on the socket and its lock."""
    modes = [stat.S_IMODE(os.stat(name).st_mode) for name in (path, f"{path}.lock")]
    assert [0o600, 0o600] == modes


def test_other_users_get_403(path: str, controls: FakeControls) -> None:
    """Credentials are checked even when the file's mode did not keep the caller out."""
    server = AdminServer(path, controls, unheard, AdminLimits(users=(4_000_000_000,)))
    server.start()
    with pytest.raises(NotPermitted, match="only root"):
        AdminClient(path).ask(StatusRequest())
    answer = raw(path, b"GET /v1/status HTTP/1.0\r\n\r\n")
    server.stop()
    assert answer.startswith(b"HTTP/1.0 403 ")


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"GET /v1/nothing HTTP/1.0\r\n\r\n", b"404"),
        (b"DELETE /v1/status HTTP/1.0\r\n\r\n", b"501"),
        (b"GET /v1/events?since=-1 HTTP/1.0\r\n\r\n", b"400"),
        (b"GET /v1/events?limit=" + b"9" * 30 + b" HTTP/1.0\r\n\r\n", b"400"),
        (b"POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: 99999999\r\n\r\n", b"400"),
        (b"POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: 2\r\n\r\n[]", b"400"),
        (b"POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: 4\r\n\r\n\xff\xfe{}", b"400"),
        (b"POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: 15\r\n\r\n" + b'{"timeout": "x"}'[:15], b"400"),
        (b'POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: 15\r\n\r\n{"timeout": -1}', b"400"),
        (b'POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: 14\r\n\r\n{"level": "x"}', b"400"),
        (b'POST /v1/datasets/web/verify HTTP/1.0\r\nContent-Length: 11\r\n\r\n{"deep": 1}', b"400"),
        (b"POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000, b"400"),
        (b"GET http://[::1 HTTP/1.0\r\n\r\n", b"400"),
        (b"GET //[ HTTP/1.0\r\n\r\n", b"404"),
        (b"POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"400"),
        (b'POST /v1/datasets/web/pause HTTP/1.0\r\nContent-Length: 17\r\n\r\n{"seconds": 1e15}', b"400"),
        (
            b'POST /v1/datasets/web/pause HTTP/1.0\r\nContent-Length: 413\r\n\r\n{"seconds": 1' + b"0" * 399 + b"}",
            b"400",
        ),
        (b"POST /v1/datasets/web/explode HTTP/1.0\r\n\r\n", b"404"),
        (b"GET /" + b"x" * 70000 + b" HTTP/1.0\r\n\r\n", b"414"),
        (b"GET / HTTP/1.0\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
    ],
)
def test_bad_requests_have_a_code_and_hurt_nobody(
    client: AdminClient, path: str, controls: FakeControls, request_bytes: bytes, code: bytes
) -> None:
    """Hostile or foreign requests are refused before any control is called, and the server goes on."""
    assert code == raw(path, request_bytes).split(b" ", 2)[1]
    assert [] == controls.calls
    assert "alpha" == client.ask(StatusRequest())["node"]


def test_no_agent(path: str) -> None:
    """No socket, and a socket that nobody serves, are an agent that is not running: 69 and what to look at."""
    with pytest.raises(Unreachable, match="no agent is running; systemctl status hikae") as caught:
        AdminClient(path).ask(StatusRequest())
    assert Exit.UNREACHABLE == caught.value.exit_code
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    with pytest.raises(Unreachable, match="no agent is running"):
        AdminClient(path).ask(AcceptRequest("web"))


def answered_by(path: str, answer: bytes) -> threading.Thread:
    """A false agent that answers one caller with these bytes and hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def run() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(answer)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", HikaeError),
        (b"SSH-2.0-OpenSSH\r\n", HikaeError),
        (b"HTTP/1.0 200 OK\r\n\r\n", Unreachable),
        (b'HTTP/1.0 200 OK\r\n\r\n\n{"progress": {}}\n\n', Unreachable),
        (b"HTTP/1.0 200 OK\r\n\r\n{half", HikaeError),
        (b'HTTP/1.0 200 OK\r\n\r\n{"error": {"reason": 1}}', HikaeError),
        (b'HTTP/1.0 200 OK\r\n\r\n{"error": 3}', HikaeError),
        (b'HTTP/1.0 200 OK\r\n\r\n{"result": []}', HikaeError),
    ],
)
def test_broken_answers_are_errors(path: str, answer: bytes, kind: type[HikaeError]) -> None:
    """An answer without its last line never counts, and nothing strange passes."""
    thread = answered_by(path, answer)
    with pytest.raises(kind):
        AdminClient(path).ask(WaitRequest("web"))
    thread.join()


def test_an_agent_that_hangs_is_noticed(path: str) -> None:
    """Silence on a connection is not waited for without end, and by who only reads not for long."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with pytest.raises(Unreachable, match="said nothing"):
            AdminClient(path, silence=0.05).ask(WaitRequest("web"))
        who_reads = AdminClient(path, silence=1000, reading=0.05)
        with pytest.raises(Unreachable, match="said nothing"):
            who_reads.ask(StatusRequest())
        with pytest.raises(Unreachable, match="said nothing"):
            who_reads.ask(EventsRequest())


def test_a_second_agent_is_refused_and_the_first_goes_on(client: AdminClient, path: str) -> None:
    """A live socket is never taken away."""
    with pytest.raises(Refused, match="another hikae agent is running with this socket"):
        AdminServer(path, FakeControls(), unheard).start()
    assert "alpha" == client.ask(StatusRequest())["node"]


def test_a_live_socket_without_a_lock_is_not_taken(path: str) -> None:
    """Whoever listens there keeps it, lock or not."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with pytest.raises(Refused, match="another hikae agent"):
            AdminServer(path, FakeControls(), unheard).start()


def test_a_stale_socket_is_replaced(path: str, controls: FakeControls) -> None:
    """What a killed agent left is no obstacle; a clean stop leaves nothing."""
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    server = AdminServer(path, controls, unheard)
    server.start()
    assert "alpha" == AdminClient(path).ask(StatusRequest())["node"]
    server.stop()
    assert not os.path.exists(path)
    server.stop()


def test_a_file_in_the_way_stays(path: str) -> None:
    """Something that is no socket is not removed."""
    Path(path).write_text("mine")
    with pytest.raises(Refused, match="no socket"):
        AdminServer(path, FakeControls(), unheard).start()
    assert "mine" == Path(path).read_text()


def test_places_that_cannot_hold_a_socket(tmpfs_dir: Path) -> None:
    """A missing directory and a path that is too long are refused with what to do."""
    with pytest.raises(Refused, match="mkdir -p"):
        AdminServer(str(tmpfs_dir / "missing" / "a.sock"), FakeControls(), unheard).start()
    with pytest.raises(Refused, match="at most 107 bytes"):
        AdminServer(str(tmpfs_dir / ("x" * 120)), FakeControls(), unheard).start()


def test_a_caller_that_goes_away_ends_its_call(client: AdminClient, path: str, controls: FakeControls) -> None:
    """The next progress of a call whose caller has gone raises ``ConnectionError`` inside it."""
    ended = threading.Event()

    def during(progress: Progress) -> None:
        try:
            while True:
                progress({"done_entries": 1})
        except ConnectionError:
            ended.set()
            raise

    controls.during = during
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(b"POST /v1/datasets/web/reconcile HTTP/1.0\r\n\r\n")
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ended.wait(40)


def test_a_silent_caller_does_not_keep_the_server(path: str, controls: FakeControls) -> None:
    """A stop ends although somebody is connected and says nothing."""
    server = AdminServer(path, controls, unheard)
    server.start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        AdminClient(path).ask(StatusRequest())
        server.stop()


def test_too_many_calls_are_told_to_come_again(path: str, controls: FakeControls) -> None:
    """Calls at once are bounded; the one too many gets an answer."""
    running, finish = threading.Event(), threading.Event()

    def during(_progress: Progress) -> None:
        running.set()
        assert finish.wait(40)

    controls.during = during
    server = AdminServer(path, controls, unheard, AdminLimits(calls_at_once=1))
    server.start()
    first = threading.Thread(target=lambda: AdminClient(path).ask(ReconcileRequest("web"), lambda _: None))
    first.start()
    assert running.wait(40)
    with pytest.raises(TryAgain, match="calls are running"):
        AdminClient(path).ask(StatusRequest())
    finish.set()
    first.join()
    server.stop()
