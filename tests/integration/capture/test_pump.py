"""The pump on real directories: what becomes of single changes, and when commits are consistent."""

from __future__ import annotations

import os
import random
import shutil
import socket
import stat
import threading
from pathlib import Path

import pytest

from agent.capture.batch import BULK_ROWS
from agent.capture.exclude import Rules
from agent.capture.facts import CapturePhase
from agent.core import chunks
from agent.core.ids import ROOT
from agent.core.rows import decode_object, object_key
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import WAIT, LightOutlet, Station, station, wait_for

MIB = 1 << 20


class TestFirstSync:
    """From an empty catalog."""

    def test_every_kind_of_entry(self, made: Station, root: Path) -> None:
        """Files, links, fifos, device nodes, holes, attributes, odd names: the peer can rebuild the tree."""
        (root / "d").mkdir(mode=0o2750)
        (root / "d" / "x").write_bytes(b"hello")
        os.link(root / "d" / "x", root / "second")
        os.symlink(b"to \xff nowhere", os.fsencode(root) + b"/l")
        os.mkfifo(root / "fifo")
        if os.geteuid() == 0:
            os.mknod(root / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        (root / "empty").write_bytes(b"")
        (root / "middle").write_bytes(os.urandom(700_000))
        os.setxattr(root / "middle", "user.note", b"\0\1")
        with open(root / "holes", "wb") as file:
            file.truncate(3 * MIB)
            file.seek(MIB)
            file.write(b"x" * 10_000)
        for name in (b"caf\xe9", b"new\nline", b"\xff\xfe"):
            os.mkdir(os.fsencode(root) + b"/" + name)
        (root / ".hikae").mkdir()
        (root / ".hikae" / "own").write_bytes(b"never captured")
        made.synced()
        assert made.id_of(b".hikae") is None
        assert [] == made.mirror()

    def test_is_inconsistent_until_its_last_commit(self, made: Station, root: Path) -> None:
        """Only a commit that drained all hints from before the walk's end is consistent; the flag is kept then."""
        for number in range(9000):
            (root / f"f{number}").write_bytes(b"%d" % number)
        made.synced()
        flags = [commit.consistent for commit in made.outlet.commits]
        assert len(flags) > 2
        assert [False] * (len(flags) - 1) + [True] == flags
        (root / "later").write_bytes(b"")
        made.hint(b"later")
        assert made.outlet.commits[-1].consistent

    def test_commits_are_cut(self, made: Station, root: Path) -> None:
        """A commit of a walk holds about eight thousand rows at most."""
        for number in range(9000):
            (root / f"f{number}").write_bytes(b"%d" % number)
        made.synced()
        assert max(len(changes) for changes in made.outlet.changes) <= BULK_ROWS + 100
        assert made.pump.facts().by_reconcile == 0

    def test_an_empty_root_is_a_commit(self, made: Station) -> None:
        """The root's own object is captured, and a barrier has a commit to name."""
        made.synced()
        assert [object_key(ROOT)] == list(made.outlet.rows)
        assert made.pump.barrier().wait(WAIT) == made.outlet.commits[-1].number

    def test_paths_of_any_depth(self, made: Station, root: Path) -> None:
        """Deeper than PATH_MAX, and deeper than descriptors are kept open."""
        fd = os.open(root, os.O_RDONLY)
        for number in range(700):
            name = b"%03d-long-enough" % number
            os.mkdir(name, dir_fd=fd)
            below = os.open(name, os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        leaf = os.open(b"leaf", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
        os.write(leaf, b"deep")
        os.close(leaf)
        made.synced()
        path = b"/".join(b"%03d-long-enough" % number for number in range(700)) + b"/leaf"
        assert b"deep" == made.copied(path)
        leaf = os.open(b"leaf", os.O_WRONLY | os.O_TRUNC, dir_fd=fd)
        os.write(leaf, b"deeper")
        os.close(leaf)
        os.close(fd)
        made.hint(path)
        assert b"deeper" == made.copied(path)
        made.reconcile()

    def test_waits_for_room_but_hints_do_not(self, made: Station, root: Path) -> None:
        """A walk is pulled; a small edit is committed while the walk may not go on."""
        for number in range(50):
            (root / f"f{number}").write_bytes(b"x")
        made.outlet.has.clear()
        made.start()
        made.pump.hint([Hint(b"f7", Look.ENTRY)])
        wait_for(lambda: made.id_of(b"f7") is not None)
        assert b"x" == made.copied(b"f7")
        assert made.id_of(b"f8") is None
        assert made.pump.facts().phase is CapturePhase.FIRST_SYNC
        made.outlet.has.set()
        made.reconcile()
        assert [] == made.mirror()


class TestContent:
    """What is read, named and sent."""

    def test_a_copy_is_not_fresh(self, made: Station, root: Path) -> None:
        """Its chunks are known, so the peer is asked before they are sent."""
        data = os.urandom(500_000)
        (root / "a").write_bytes(data)
        made.synced()
        made.outlet.forget_traffic()
        (root / "b").write_bytes(data)
        made.hint(b"b")
        assert [] == made.outlet.fresh
        assert made.outlet.asked
        assert [] == made.mirror()

    def test_a_page_in_a_large_file(self, made: Station, root: Path) -> None:
        """4 KiB of 64 MiB: only the chunk around it (two, if a cut falls in it) gets a new name, and what parts of the list lead
        there; nothing else is sent."""
        data = bytearray(os.urandom(64 * MIB))
        (root / "db").write_bytes(data)
        made.synced()
        made.outlet.forget_traffic()
        with open(root / "db", "r+b") as file:
            file.seek(33 * MIB)
            file.write(os.urandom(4096))
        made.hint(b"db")
        assert sum(len(made.outlet.chunks[name]) > 8192 for name in made.outlet.fresh) in (1, 2)
        assert 1 <= sum(len(made.outlet.chunks[name]) <= 8192 for name in made.outlet.fresh) <= 10
        assert [] == made.outlet.asked
        assert 1 == len(made.outlet.ahead)
        assert [] == made.mirror()

    def test_a_large_file_is_not_read_for_each_of_its_changes(self, made: Station, root: Path) -> None:
        """The second change of 20 MiB waits its second, is told as waiting, and is read at once when somebody waits for it."""
        (root / "db").write_bytes(os.urandom(20 * MIB))
        made.synced()
        made.hint(b"db")
        commits = made.pump.facts().commits
        with open(root / "db", "r+b") as file:
            file.write(b"changed")
        made.pump.hint([Hint(b"db", Look.ENTRY)])
        wait_for(lambda: made.pump.facts().large_waiting == 1)
        assert (commits, True) == (made.pump.facts().commits, made.pump.facts().put_off > 0)
        made.pump.barrier().wait(WAIT)
        assert (commits + 1, 0) == (made.pump.facts().commits, made.pump.facts().large_waiting)
        assert 0.0 == made.pump.facts().put_off
        assert [] == made.mirror()

    def test_an_insertion_moves_no_cut_behind_it(self, made: Station, root: Path) -> None:
        """Of a middle file with bytes inserted most chunks keep their names."""
        data = os.urandom(4 * MIB)
        (root / "f").write_bytes(data)
        made.synced()
        made.outlet.forget_traffic()
        (root / "f").write_bytes(data[: MIB + 7] + b"inserted" + data[MIB + 7 :])
        made.hint(b"f")
        assert sum(len(made.outlet.chunks[name]) > 8192 for name in made.outlet.fresh) <= 3
        assert [] == made.mirror()

    @pytest.mark.parametrize("content", [None, 5, 32, 41])
    def test_a_log_that_grows(self, made: Station, root: Path, rng: random.Random, content: int | None) -> None:
        """Appending in small steps ends in the same chunks as reading it at once would; also where the first chunks are long, as
        they are with these seeds."""
        if content is not None:
            rng = random.Random(content)
        with open(root / "log", "wb") as file:
            for number in range(30):
                file.write(rng.randbytes(20_000))
                file.flush()
                if number == 0:
                    made.synced()
                made.hint(b"log")
        grown = decode_object(made.outlet.rows[object_key(made.id_of(b"log") or ROOT)]).content
        shutil.copy(root / "log", root / "at-once")
        made.hint(b"at-once")
        assert decode_object(made.outlet.rows[object_key(made.id_of(b"at-once") or ROOT)]).content == grown

    def test_a_large_sparse_file_is_quick(self, made: Station, root: Path) -> None:
        """A terabyte of hole is not read."""
        with open(root / "sparse", "wb") as file:
            file.truncate(1 << 40)
            file.seek(1 << 39)
            file.write(b"x" * 4096)
        made.synced()
        row = decode_object(made.outlet.rows[object_key(made.id_of(b"sparse") or ROOT)])
        assert [chunks.HOLE, chunks.DATA, chunks.HOLE] == [entry.kind for entry in chunks.decode(row.content)]
        assert 1 << 40 == row.size

    def test_hints_get_their_turn_while_a_large_file_is_read(self, made: Station, root: Path) -> None:
        """A small edit is committed between the slices; the large file's row joins a later commit."""
        made.synced()
        (root / "large").write_bytes(os.urandom(40 * MIB))
        (root / "small").write_bytes(b"1")
        seen: list[bool] = []
        first = threading.Event()

        def on_content() -> None:
            if not first.is_set():
                first.set()
                made.pump.hint([Hint(b"small", Look.ENTRY)])
            seen.append(made.id_of(b"small") is not None)

        made.outlet.on_content = on_content
        made.hint(b"large")
        assert seen[-1]
        assert made.outlet.commits[-1].bytes == 40 * MIB + 1
        assert [] == made.mirror()

    def test_a_file_that_never_rests(self, made: Station, root: Path) -> None:
        """Changed at every read: left out twice, taken as read the third time, and said so until it rests."""
        made.synced()
        (root / "busy").write_bytes(os.urandom(40 * MIB))
        reads = 0

        def on_content() -> None:
            nonlocal reads
            reads += 1
            with open(root / "busy", "ab") as file:
                file.write(b"more")

        made.outlet.on_content = on_content
        made.hint(b"busy")
        assert 1 == sum(commit.fuzzy for commit in made.outlet.commits)
        assert 1 == made.pump.facts().fuzzy
        assert [("never-rests", b"busy")] == made.problems()
        assert 3 == len({token for token, _ in made.outlet.content_calls})
        made.outlet.on_content = lambda: None
        made.hint(b"busy")
        assert [] == made.problems()
        assert [] == made.mirror()

    def test_a_huge_chunk_list_travels_in_pieces(self, made: Station, root: Path) -> None:
        """More than 1,024 chunks: the list's pieces are given out and kept in the catalog."""
        block = os.urandom(MIB)
        with open(root / "huge", "wb") as file:
            for number in range(150):
                file.write(number.to_bytes(8, "big") + block[8:])
                file.write(os.urandom(4096))
        made.synced()
        row = decode_object(made.outlet.rows[object_key(made.id_of(b"huge") or ROOT)])
        pieces = [entry.name for entry in chunks.decode(row.content) if entry.kind == chunks.PIECE]
        assert pieces
        assert all(made.catalog.piece(name) == made.outlet.chunks[name] for name in pieces)
        assert [] == made.mirror()


class TestOddities:
    """What is left out, and said."""

    def test_sockets_are_skipped_and_said(self, made: Station, root: Path) -> None:
        """A socket is no entry; the problem goes when the socket goes."""
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(root / "sock"))
            made.synced()
        assert [("socket-skipped", b"sock")] == made.problems()
        assert made.id_of(b"sock") is None
        (root / "sock").unlink()
        made.hint(b"sock")
        assert [] == made.problems()

    def test_excluded_names_are_not_there(self, root: Path) -> None:
        """Excluded files and directories are not captured, also when hinted; dropped when the rules come later."""
        (root / "cache" / "deep").mkdir(parents=True)
        (root / "cache" / "deep" / "f").write_bytes(b"1")
        (root / "a.tmp").write_bytes(b"1")
        (root / "kept.tmp").write_bytes(b"1")
        (root / "b").write_bytes(b"1")
        rules = Rules(["cache/", "*.tmp"], ["kept.tmp"])
        outlet = LightOutlet()
        with station(root, root.parent / "state", outlet) as made:
            made.synced()
            assert made.id_of(b"cache/deep/f") is not None
        with station(root, root.parent / "state", outlet, rules) as made:
            made.synced()
            made.hint(b"cache/deep/f", b"a.tmp", b"b")
            assert [None, None, True, True] == [
                made.id_of(path) and True for path in (b"cache", b"a.tmp", b"kept.tmp", b"b")
            ]

    def test_a_busy_directory_is_looked_at_as_a_whole(self, made: Station, root: Path) -> None:
        """CHILDREN finds what came, went and changed."""
        (root / "d").mkdir()
        for number in range(300):
            (root / "d" / f"f{number}").write_bytes(b"1")
        made.synced()
        for number in range(0, 300, 3):
            (root / "d" / f"f{number}").write_bytes(b"22")
        for number in range(1, 300, 3):
            (root / "d" / f"f{number}").unlink()
        (root / "d" / "new" / "below").mkdir(parents=True)
        made.hint(b"d", look=Look.CHILDREN)
        assert [] == made.mirror()
        assert made.pump.facts().by_event > 0

    def test_a_hint_for_nothing(self, made: Station) -> None:
        """Paths that never were, with no directory either."""
        made.synced()
        made.hint(b"no", b"no/such/path")
        assert [] == made.mirror()


class TestRestart:
    """What was captured before is known again."""

    def test_nothing_changed_nothing_committed(self, root: Path) -> None:
        """A restart reads what is soft and commits nothing; hints go on."""
        (root / "a").write_bytes(b"1")
        outlet = LightOutlet()
        with station(root, root.parent / "state", outlet) as made:
            made.synced()
        count = len(outlet.commits)
        with station(root, root.parent / "state", outlet) as made:
            made.synced()
            assert count == len(outlet.commits)
            (root / "a").write_bytes(b"2")
            made.hint(b"a")
            assert [] == made.mirror()

    def test_without_local_facts_objects_are_known_by_their_place(self, root: Path) -> None:
        """Losing local.db costs reading only: no object changes."""
        (root / "d").mkdir()
        (root / "d" / "f").write_bytes(os.urandom(100_000))
        outlet = LightOutlet()
        with station(root, root.parent / "state", outlet) as made:
            made.synced()
        count = len(outlet.commits)
        for name in ("local.db", "local.db-wal", "local.db-shm"):
            (root.parent / "state" / name).unlink(missing_ok=True)
        with station(root, root.parent / "state", outlet) as made:
            made.synced()
            assert count == len(outlet.commits)
            assert [] == made.mirror()

    def test_a_doubt_makes_commits_inconsistent(self, made: Station, root: Path) -> None:
        """After an overflow nothing is consistent until a whole walk is in."""
        made.synced()
        made.outlet.forget_traffic()
        made.outlet.has.clear()
        (root / "lost").write_bytes(b"1")
        (root / "told").write_bytes(b"1")
        made.pump.hint([Hint(b"", Look.SUBTREE)])
        wait_for(lambda: made.pump.facts().doubt)
        made.pump.hint([Hint(b"told", Look.ENTRY)])
        wait_for(lambda: bool(made.outlet.commits))
        made.outlet.has.set()
        made.pump.barrier().wait(WAIT)
        assert [False, True] == [made.outlet.commits[index].consistent for index in (0, -1)]
        assert [] == made.mirror()
