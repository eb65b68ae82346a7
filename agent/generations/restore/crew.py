"""The processes that make entries, and what they say: tasks go to whoever has the fewest, and a few wait with each."""

from __future__ import annotations

import marshal
import os
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait

from agent.core import errors
from agent.core.errors import HikaeError, StoreFailed
from agent.core.ids import CommitNumber, ObjectId
from agent.generations.restore.results import Work
from agent.generations.restore.worker import Message, Opener, opened_here, serve_worker

#: Tasks that wait with one process.
_WAITING = 3
_CREW_MAX = 8


class _Member:
    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.sock: socket.socket | None = sock
        self.pipe: Connection | None = None
        self.waiting = 0


class Crew:
    """Forked before anything is opened or begun: no child has a connection or thread of its parent. ``took`` is called with what
    each task came to."""

    def __init__(self, count: int | None = None, opens: Opener = opened_here) -> None:
        self._members: list[_Member] = []
        for _ in range(count or min(_CREW_MAX, os.cpu_count() or 1)):
            self._members.append(_forked(self._members, opens))
        self._took: Callable[[Work], None] = lambda _: None

    def begin(
        self,
        words: tuple[str, ...],
        number: CommitNumber,
        fds: tuple[int, int, int, int],
        serial: str,
        took: Callable[[Work], None],
    ) -> None:
        """Tell everybody what is read, by the words of its opener, and where it goes: ``fds`` are the root, our private directory
        in it, where what is displaced goes, and the lock of all that, which so lasts until the last of them is gone; ``serial``
        is no other restore's."""
        self._took = took
        for at, member in enumerate(self._members):
            assert member.sock is not None
            first = marshal.dumps((words, int(number), f"{serial}.{at}"))
            socket.send_fds(member.sock, [first], list(fds))
            member.pipe, member.sock = Connection(member.sock.detach()), None

    def give(self, task: Message) -> None:
        """Have a task done, by whoever has the fewest; waits where all have enough. Raises what ended one of them."""
        member = min(self._members, key=lambda one: one.waiting)
        while member.waiting >= _WAITING:
            self._hear()
            member = min(self._members, key=lambda one: one.waiting)
        assert member.pipe is not None
        member.waiting += 1
        try:
            member.pipe.send_bytes(marshal.dumps(task))
        except OSError:
            self._hear_last(member)

    def settle(self) -> None:
        """Wait until every task is done. Raises as :meth:`give`."""
        while any(member.waiting for member in self._members):
            self._hear()

    def close(self) -> None:
        """End everybody; safe to call twice. Who is in the middle of a task is ended in it."""
        for member in self._members:
            if member.waiting:
                os.kill(member.pid, signal.SIGKILL)
            for one in (member.pipe, member.sock):
                if one is not None:
                    one.close()
            os.waitpid(member.pid, 0)
        self._members = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _hear(self) -> None:
        busy = {member.pipe: member for member in self._members if member.waiting and member.pipe is not None}
        for pipe in wait(list(busy)):
            self._hear_one(busy[pipe])  # type: ignore[index]  # it waits for what it was given

    def _hear_one(self, member: _Member) -> None:
        assert member.pipe is not None
        try:
            answer = marshal.loads(member.pipe.recv_bytes())  # noqa: S302 - from a process that we forked
        except (EOFError, OSError) as error:
            member.waiting = 0
            raise StoreFailed(
                "restore", "", "a process of it was killed", "type it again: it goes on where it was"
            ) from error
        member.waiting -= 1
        if answer[0]:
            member.waiting = 0
            raise _error(answer[1:])
        _, entries, size, written, verified, displaced, unmade = answer
        told = [(ObjectId(id), name, reason, chunk, out) for id, name, reason, chunk, out in unmade]
        self._took(Work(entries, size, written, verified, displaced, told))

    def _hear_last(self, member: _Member) -> None:
        """It is gone; what it said last tells why."""
        while member.waiting:
            self._hear_one(member)


def _error(told: list[str]) -> HikaeError:
    kind = getattr(errors, told[0], HikaeError)
    assert issubclass(kind, HikaeError)
    return kind(*told[1:])


def _forked(earlier: Sequence[_Member], opens: Opener) -> _Member:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return _Member(pid, ours)
    code = 1
    try:
        # Else the others would not see the end of what their parent says.
        for one in (ours, *(member.sock for member in earlier)):
            assert one is not None
            one.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        serve_worker(theirs, opens)
        code = 0
    except BrokenPipeError:
        pass
    except Exception:  # noqa: BLE001 - a child must not go on as its parent
        traceback.print_exc()
    finally:
        os._exit(code)
