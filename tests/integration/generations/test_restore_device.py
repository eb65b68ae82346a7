"""``hikae restore`` of a device: to a file and to a block device, and whatever is wrong with a call is said."""

from __future__ import annotations

import fcntl
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from agent.cli.context import Context
from agent.cli.main import main
from agent.core.chunks import DATA, DEVICE_CHUNK, name_of
from agent.core.commit import Changes
from agent.core.rows import encode_chunk
from agent.generations.devices.image import DeviceImage
from agent.generations.devices.restoring import ImageRestoration, restore_image
from agent.generations.devices.stretch import STRETCH
from agent.generations.devices.target import open_image_target
from agent.store.vault.codec import pack_chunk
from fakes.kept_device import KeptDeviceNode, some_image
from fakes.loop_device import attached, needs_loops, sparse
from fakes.store_fakes import header, number

_SIZE = 3 * STRETCH + 5 * DEVICE_CHUNK + 512
Captured = pytest.CaptureFixture[str]


class _Person:
    """Who types: ``agrees`` to what is asked, or cannot be asked."""

    def __init__(self, answer: bool | None = None) -> None:
        self.answer = answer

    def can_be_asked(self) -> bool:
        """See ``Person``."""
        return self.answer is not None

    def agrees(self, text: str) -> bool:
        """See ``Person``."""
        assert "What it holds now is lost" in text
        return bool(self.answer)


@pytest.fixture
def node(tmpfs_dir: Path, rng: random.Random) -> Iterator[KeptDeviceNode]:
    """Two generations: of ``before`` half is zeros in ``after``, and the other way round."""
    made = KeptDeviceNode.make(tmpfs_dir)
    with made.kept:
        made.generation("before", some_image(rng.randbytes(3 * DEVICE_CHUNK), 0, STRETCH - 5000, size=_SIZE))
        made.generation("after", some_image(rng.randbytes(2 * DEVICE_CHUNK), 70_000, 2 * STRETCH, size=_SIZE))
        yield made


def run(node: KeptDeviceNode, *words: str, person: _Person | None = None) -> int:
    """The command, in this process."""
    context = Context(person=person or _Person())
    return main(["--config", str(node.config), "restore", "vm", *words], context)


def restored(node: KeptDeviceNode, captured: Captured, *words: str, code: int = 0) -> dict[str, Any]:
    """What it answers."""
    captured.readouterr()
    assert code == run(node, *words, "--json")
    answer: dict[str, Any] = json.loads(captured.readouterr().out)
    return answer


def image_of(node: KeptDeviceNode, which: int) -> bytes:
    """What the device held."""
    return list(node.kept.images.values())[which]


def test_a_new_file_holds_the_device_and_no_more_room_than_its_data(
    node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured
) -> None:
    """Bit for bit; zeros are holes; all of it was read back, and nothing else is left beside it."""
    to = tmpfs_dir / "out" / "vm.img"
    to.parent.mkdir()
    answer = restored(node, capsys, "--generation", "before", "--to", str(to))
    assert image_of(node, 0) == to.read_bytes()
    assert os.stat(to).st_blocks * 512 < STRETCH
    assert [to] == list(to.parent.iterdir())
    held = answer["bytes"]
    assert (_SIZE, held, held) == (answer["size"], answer["written_bytes"], answer["verified"])


def test_only_what_differs_is_written_over_a_file(node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured) -> None:
    """One of another length and of the other generation becomes this one, holes too; once more, and nothing is written."""
    to = tmpfs_dir / "vm.img"
    to.write_bytes(image_of(node, 1) + b"longer")
    assert 3 == run(node, "--generation", "before", "--to", str(to))
    assert "it overwrites the file" in capsys.readouterr().err
    first = restored(node, capsys, "--generation", "before", "--to", str(to), "--yes")
    assert image_of(node, 0) == to.read_bytes()
    again = restored(node, capsys, "--generation", "before", "--to", str(to), "--yes")
    assert (True, 0, first["bytes"]) == (first["written_bytes"] > 0, again["written_bytes"], again["verified"])


def test_a_person_is_asked_before_anything_is_written_over(node: KeptDeviceNode, tmpfs_dir: Path) -> None:
    """No leaves it as it is, yes does it."""
    to = tmpfs_dir / "vm.img"
    to.write_bytes(b"mine")
    words = ("--generation", "before", "--to", str(to))
    assert (3, b"mine") == (run(node, *words, person=_Person(False)), to.read_bytes())
    assert (0, image_of(node, 0)) == (run(node, *words, person=_Person(True)), to.read_bytes())


def test_a_dry_run_writes_nothing(node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured) -> None:
    """It says how long the device is, and what of it is no zeros."""
    to = tmpfs_dir / "vm.img"
    answer = restored(node, capsys, "--generation", "before", "--to", str(to), "--dry-run")
    assert (_SIZE, 0, False) == (answer["size"], answer["written_bytes"], to.exists())


@needs_loops
def test_a_block_device_that_is_larger_keeps_what_is_behind(
    node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured
) -> None:
    """What differs is written, zeros become zeros, and the rest of the disk is as it was."""
    file = sparse(tmpfs_dir / "disk", _SIZE + STRETCH - 512)
    with file.open("r+b") as disk:
        disk.write(os.urandom(_SIZE))
        disk.seek(_SIZE)
        disk.write(b"behind")
    with attached(file) as device:
        answer = restored(node, capsys, "--generation", "before", "--to", device, "--yes")
        assert answer["bytes"] == answer["verified"] == answer["written_bytes"]
    found = file.read_bytes()
    assert (image_of(node, 0), b"behind") == (found[:_SIZE], found[_SIZE:].rstrip(b"\0"))


@needs_loops
def test_a_smaller_device_or_one_in_use_is_refused(node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured) -> None:
    """Whatever is agreed to; nothing of it is changed."""
    small = sparse(tmpfs_dir / "small", STRETCH)
    with attached(small) as device:
        assert 3 == run(node, "--generation", "before", "--to", device, "--yes")
        assert "name a device at least as large" in capsys.readouterr().err
        assert 3 == run(node, "--generation", "before", "--to", str(small), "--yes")
        assert f"{device} stands on it" in capsys.readouterr().err
    assert bytes(STRETCH) == small.read_bytes()


def test_what_cannot_be_a_target_is_said(node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured) -> None:
    """A directory, nowhere, our own state, the device itself, a file that is open; and what no device has."""
    standby = node.config.parent / "standby.img"
    standby.write_bytes(b"the standby")
    mine = tmpfs_dir / "open.img"
    mine.write_bytes(b"open")
    free = ("--to", str(tmpfs_dir / "free.img"))
    cases = [
        (("--to", str(tmpfs_dir)), 3, "it is a directory"),
        (("--to", str(tmpfs_dir / "no" / "vm.img")), 4, "the directory above it does not exist"),
        (("--to", str(standby)), 3, "it is what vm has here"),
        (("--to", f"{standby.parent}/state/other.img"), 3, "where hikae keeps its own state"),
        (("--to", "/dev/null"), 3, "neither a file nor a block device"),
        (("--to", str(mine)), 3, "a program has it open"),
        (("--in-place",), 3, "hikae rollback vm"),
        ((*free, "etc/passwd"), 2, "it is a device, which has no paths"),
        ((*free, "--changed-since", "before"), 2, "only what differs is written anyhow"),
        ((*free, "--generation", "none"), 4, "no generation of vm has that name"),
    ]
    with mine.open("rb"):
        found = []
        for words, code, said in cases:
            named = () if "--generation" in words else ("--generation", "before")
            found.append((words, run(node, *words, *named, "--yes"), said in capsys.readouterr().err))
            assert (words, code, True) == found[-1]


@needs_loops
@pytest.mark.parametrize("where", ["standby.img", "state/packed.img"])
def test_a_loop_device_on_what_is_no_target_is_none_either(
    node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured, where: str
) -> None:
    """On the dataset's own image, and on a file in the agent's state: named, and nothing in it is touched."""
    below = sparse(node.config.parent / where, _SIZE + 512)
    with attached(below) as device:
        assert 3 == run(node, "--generation", "before", "--to", device, "--yes")
    said = {
        "standby.img": f"{below}, on which it stands, is what vm has here",
        "state/packed.img": "keeps its own state",
    }
    assert (True, bytes(_SIZE + 512)) == (said[where] in capsys.readouterr().err, below.read_bytes())


def test_a_chunk_that_is_lost_is_named_and_the_rest_is_there(
    node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured
) -> None:
    """By its bytes; the exit code says that not all is as it was."""
    rows = list(_rows(node, 0))
    packs = next((node.config.parent / "state/datasets/vm/vault/packs").iterdir())
    place = node.kept.vault.place_of(rows[1].name)
    assert place is not None
    with packs.open("r+b") as pack:
        pack.seek(place.offset + place.stored_length // 2)
        pack.write(b"damage!!")
    to = tmpfs_dir / "vm.img"
    answer = restored(node, capsys, "--generation", "before", "--to", str(to), code=1)
    told = {"path": "bytes 65,536 to 131,072", "chunk": rows[1].name.hex()}
    assert [told] == [{key: one[key] for key in told} for one in answer["unmade"]]
    wanted = bytearray(image_of(node, 0))
    wanted[rows[1].offset : rows[1].end] = bytes(rows[1].length)
    assert bytes(wanted) == to.read_bytes()


@pytest.mark.parametrize("stands", [False, True])
def test_a_device_of_holes_costs_what_it_holds(node: KeptDeviceNode, tmpfs_dir: Path, stands: bool) -> None:
    """One of 16 TiB less a bit with a chunk at its end: nothing is done for what was never written, be the file a new one or one
    that stands there with something of its own."""
    size = (16 << 40) - (1 << 30)
    last = size // DEVICE_CHUNK
    data = bytes(DEVICE_CHUNK - 1) + b"x"
    node.kept.vault.add([pack_chunk(name_of(data), DATA, data)], [data])
    node.kept.vault.sync()
    changes = Changes((encode_chunk(last, DEVICE_CHUNK, name_of(data)),))
    node.kept.catalog.write(changes, header(3))
    steps: list[int] = []
    with node.kept.catalog.reader() as reader:
        reader._connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda _: steps.append(1))
        image = DeviceImage(reader, node.kept.vault.read, number(3))
        if stands:
            with sparse(tmpfs_dir / "large.img", size).open("r+b") as file:
                file.seek(size // 2)
                file.write(b"another's")
        target = open_image_target(str(tmpfs_dir / "large.img"), image.size)
        done = restore_image(target, ImageRestoration(image, lambda _: {}, lambda *_: None))
        target.close()
    with (tmpfs_dir / "large.img").open("rb") as file:
        file.seek(size // 2)
        assert bytes(9) == file.read(9)
    assert (size, True) == (os.stat(tmpfs_dir / "large.img").st_size, done.verified == done.size > 0)
    assert 0 < len(steps) < 50


def test_two_restores_do_not_write_one_file(node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured) -> None:
    """The second is told to wait, also where a file is still without its name."""
    aside = tmpfs_dir / ".vm.img.hikae-restore"
    with aside.open("w+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert 75 == run(node, "--generation", "before", "--to", str(tmpfs_dir / "vm.img"))
    assert "another restore" in capsys.readouterr().err
    assert 0 == run(node, "--generation", "before", "--to", str(tmpfs_dir / "vm.img"))


def _rows(node: KeptDeviceNode, which: int) -> Iterator[Any]:
    with node.kept.image(list(node.kept.images)[which]) as shown:
        yield from shown.rows_within(0, shown.size)


def test_a_moment_from_before_the_first_sync(node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured) -> None:
    """There is nothing to bring back, and no empty file passes for it."""
    node.generation("empty", b"")
    assert 4 == run(node, "--generation", "empty", "--to", str(tmpfs_dir / "vm.img"))
    assert "nothing of the device was known" in capsys.readouterr().err
    assert not (tmpfs_dir / "vm.img").exists()


def test_what_is_for_devices_is_refused_for_trees(node: KeptDeviceNode, tmpfs_dir: Path, capsys: Captured) -> None:
    """A writable mount, and the files of a diff: with what is typed instead."""
    node.config.write_text(node.config.read_text().replace('kind = "device"', 'kind = "tree"'))
    (tmpfs_dir / "at").mkdir()
    for words, said in (
        (("mount", "vm", str(tmpfs_dir / "at"), "--writable"), "leave --writable out"),
        (("generations", "diff", "vm", "before", "after", "--files"), "leave --files out"),
    ):
        code = main(["--config", str(node.config), *words], Context())
        assert (words, 2, True) == (words, code, said in capsys.readouterr().err)
