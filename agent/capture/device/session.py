"""One opened device: what every look at it works with."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

from agent.capture.device.batch import DeviceBatch
from agent.capture.device.looking import ChunkLooker
from agent.capture.device.moment import Piece, Unread, read_run
from agent.capture.device.opened import DeviceLost, ReadsDevice, aligned_memory, why_unreadable
from agent.capture.device.read_ahead import DeviceReads
from agent.capture.device.runs import Run, begins_at, bytes_of
from agent.capture.device.whole_look import WholeLook
from agent.capture.outlet import Outlet
from agent.capture.ports import Send
from agent.core.chunks import DEVICE_CHUNK, device_extent
from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import UNREADABLE
from agent.watch.blocks.ports import BlockTracker

#: Content is given away when so many bytes of it are gathered.
_GIVEN = 1 << 20
_NO_ROOM = 0.01
#: So many places that cannot be read are known one by one. What is beyond is owed all the same, and found by each look.
_MOST_UNREAD = 1 << 18


class DeviceSession:
    """Reads an open device into the batch. Belongs to the pump's thread. ``unread``: chunks that could not be read; their rows
    say so, and peers owe them (law 9)."""

    def __init__(
        self,
        device: ReadsDevice,
        tracker: BlockTracker,
        looker: ChunkLooker,
        batch: DeviceBatch,
        send: Send,
        board: ProblemBoard,
        clock: Clock,
    ) -> None:
        self.device = device
        self.tracker = tracker
        self.looker = looker
        self.batch = batch
        self.unread: set[int] = set()
        self._send = send
        self._board = board
        self._clock = clock
        self._reads = DeviceReads(device, "device-reads")
        self.whole = WholeLook(device.path)
        #: Steps of commits so far: what a look read before one may be older than what that took from the tracker.
        self.steps = 0

    def close(self, saved: Path | None = None) -> None:
        """Let go of the device, and end its tracker; ``saved``: it keeps there what it owes, and the kernel goes on noting."""
        if saved is not None:
            self.tracker.save(saved)
        else:
            self.tracker.stop()
        self._reads.close()
        self.device.close()

    def pass_over(self, runs: Iterable[Run], outlet: Outlet, *, is_look: bool = False) -> Generator[int, None, None]:
        """Read these chunks as the peers have room for what is new in them. Yields the bytes of each step."""
        for done in self._reads.over(runs, lambda: self.steps):
            while not outlet.has_room(_NO_ROOM):
                yield 0
            if is_look and done.at != self.steps:
                done = self._reads.anew(done)
            self.take_in(done.pieces, done.unread)
            yield done.size

    def read_beside(self, numbers: Sequence[int], outlet: Outlet) -> Generator[None, None, None]:
        """Read a few chunks while a pass goes on, which has its own buffers."""
        buffer = aligned_memory(DEVICE_CHUNK)
        for number in numbers:
            while not outlet.has_room(_NO_ROOM):
                yield
            unread: Unread = []
            run = number, number
            self.take_in(read_run(self.device, run, buffer[: bytes_of((run,))], unread), unread)
            yield

    def pass_over_all(self, outlet: Outlet) -> Generator[int, None, None]:
        """Read all of it; holes of an image are not read."""
        counted = self.whole.begin()
        for is_data, start, end in self.device.holes(0, self.device.size):
            first, last = start // DEVICE_CHUNK + 1, (end - 1) // DEVICE_CHUNK + 1
            if is_data:
                yield from self.pass_over(((first, last),), outlet, is_look=True)
                continue
            # A chunk that only begins or ends in the hole is read with its data.
            first += start % DEVICE_CHUNK > 0
            last -= end % DEVICE_CHUNK > 0 and end < self.device.size
            if first <= last:
                self.looker.look_at_hole((first, last))
                self._give(_GIVEN)
            yield end - start
        self.looker.cut_off()
        self.whole.ended(counted)

    def take_in(self, pieces: Sequence[Piece], unread: Sequence[tuple[int, OSError]]) -> None:
        """What was read, or could not be, is looked at, and what is new goes to the peers. Raises ``DeviceLost`` where nothing
        could be read, here or anywhere: a device that fails as a whole has no bad places."""
        if unread and not pieces and (why := why_unreadable(self.device)) is not None:
            raise DeviceLost(self.device.path, f"nothing of it can be read: {why}")
        for run, data in pieces:
            self.looker.look(run, data)
            self._give(_GIVEN)
            if self.unread:
                self._well(run)
        for number, error in unread:
            self._cannot_read(number, error)

    def give_rest(self) -> None:
        """What is gathered goes to the peers."""
        self._give(1)

    def _give(self, least: int) -> None:
        if len(self.looker.found) * DEVICE_CHUNK >= least:
            self._send(self.batch.token, self.looker.found, self.looker.patches, False)

    def _well(self, run: Run) -> None:
        for number in [one for one in self.unread if run[0] <= one <= run[1]]:
            self.unread.discard(number)
            self._board.clear(UNREADABLE, device_extent(number))

    def _cannot_read(self, number: int, error: OSError) -> None:
        """The others go on."""
        if len(self.unread) < _MOST_UNREAD:
            self.unread.add(number)
        self.looker.look_at_unreadable(number)
        begin = begins_at(number)
        message = f"{DEVICE_CHUNK:,} bytes from {begin:,} on cannot be read: {error.strerror}"
        remedy = f"see the kernel log (dmesg) and replace {self.device.path}; it is owed: the standby keeps what it had there"
        now = self._clock.now_ns()
        self._board.put(Problem(UNREADABLE, Severity.WARNING, now, device_extent(number), message, remedy))
