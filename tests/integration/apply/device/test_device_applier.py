"""A standby of a device as an image: made, changed, grown and cut off, found again, and never written where it is not ours."""

from __future__ import annotations

import fcntl
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.results import Held, silent
from agent.core.chunks import DEVICE_CHUNK
from agent.core.errors import NotFound
from agent.core.ids import NOTHING
from agent.core.problem_codes import CHUNK_DAMAGED
from fakes.device_standby import DeviceStandby, device_standby, scattered
from fakes.kept_device import some_image
from fakes.mounts import needs_root

MIB = 1 << 20


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[DeviceStandby]:
    """A device of which nothing came yet."""
    with device_standby(tmpfs_dir / "it") as made:
        yield made


def _code(it: DeviceStandby, *, adopt: bool = False) -> str:
    with pytest.raises(Held) as raised:
        it.applier(adopt=adopt).prepare()
    return str(raised.value.code)


def test_a_new_image_is_sparse_and_ours_alone(it: DeviceStandby) -> None:
    """Zero chunks take no room, and nobody else may read the image."""
    image = some_image(b"data" * 1024, 0, 5 * MIB, size=8 * MIB)
    applier = it.applier()
    applier.converge(it.put(image), silent)
    assert it.content() == image
    st = it.path.stat()
    assert (st.st_mode & 0o777, st.st_blocks * 512 <= 4 * DEVICE_CHUNK) == (0o600, True)


def test_only_what_differs_is_written(it: DeviceStandby) -> None:
    """One changed chunk costs one chunk."""
    image = random.Random(1).randbytes(2 * MIB)
    applier = it.applier()
    applier.converge(it.put(image), silent)
    done = applier.converge(it.put(image[:70_000] + b"x" + image[70_001:]), silent)
    assert (done.bytes, done.redo) == (DEVICE_CHUNK, False)


@pytest.mark.parametrize("seed", range(12))
def test_every_commit_stands_bit_for_bit(it: DeviceStandby, seed: int) -> None:
    """Random writes, discards and lengths, some commits passed over, and an end between some."""
    rng = random.Random(seed)
    image, applier = rng.randbytes(300_000), it.applier()
    applier.converge(it.put(image), silent)
    for _ in range(10):
        image = scattered(rng, image)
        newest = it.put(image)
        if rng.random() < 0.3:
            continue
        if rng.random() < 0.3:
            applier.close()
            applier = it.applier()
        applier.converge(newest, silent)
        assert it.content() == image


def test_a_known_image_is_believed_after_a_clean_end(it: DeviceStandby) -> None:
    """A start after a clean end compares nothing."""
    first = it.applier()
    newest = it.put(b"one" * 50_000)
    first.converge(newest, silent)
    first.close()
    again = it.applier()
    again.prepare()
    assert (again.redoes, again.applied) == (False, newest.number)


def test_going_back_to_an_earlier_moment(it: DeviceStandby) -> None:
    """The standby follows to a commit before, and forward again."""
    first = it.put(b"one" * 50_000)
    second = it.put(b"two" * 90_000)
    applier = it.applier()
    applier.converge(second, silent)
    applier.converge(first, silent, unheld=True)
    assert it.content() == b"one" * 50_000
    applier.converge(second, silent, unheld=True)
    assert it.content() == b"two" * 90_000


def test_a_foreign_image_is_not_touched(it: DeviceStandby) -> None:
    """What stands there and is not ours is held, and stays as it is."""
    it.path.write_bytes(b"somebody's" * 1000)
    assert (_code(it), it.content()) == ("standby-foreign", b"somebody's" * 1000)


def test_an_adopted_image_waits_for_a_consistent_commit_and_is_made_equal(it: DeviceStandby) -> None:
    """With leave a foreign image is compared, and only what differs is written."""
    image = random.Random(2).randbytes(20 * DEVICE_CHUNK)
    it.path.write_bytes(image[:-1] + bytes([image[-1] ^ 1]))
    done = it.applier(adopt=True).converge(it.put(image), silent)
    assert (it.content(), done.bytes) == (image, DEVICE_CHUNK)


def test_an_image_that_is_open_elsewhere_is_not_written(it: DeviceStandby) -> None:
    """Somebody has it open for writing: held, and it goes on by itself afterwards."""
    it.path.write_bytes(b"")
    with it.path.open("r+b"):
        assert _code(it) == "standby-in-use"
    it.applier().prepare()


def test_an_image_that_another_agent_locks_is_not_written(it: DeviceStandby) -> None:
    """Two appliers never write one image."""
    it.applier().converge(it.put(b"a" * 70_000), silent)
    other = os.open(it.path, os.O_RDONLY)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(other)


def test_a_link_is_not_followed(it: DeviceStandby, tmp_path: Path) -> None:
    """A symbolic link to a file is refused, and the file stays."""
    (tmp_path / "precious").write_bytes(b"")
    it.path.symlink_to(tmp_path / "precious")
    assert _code(it, adopt=True) == "standby-unsafe"


@needs_root
@pytest.mark.parametrize("is_there", [False, True])
def test_a_link_of_another_user_says_nothing(it: DeviceStandby, tmpfs_dir: Path, is_there: bool) -> None:
    """A directory of the way is a user's link: what it leads to stays as it is, and nothing is made there."""
    (tmpfs_dir / "precious").mkdir()
    (tmpfs_dir / "way").symlink_to("precious")
    os.lchown(tmpfs_dir / "way", 4242, 4242)
    it.path = tmpfs_dir / "way" / "vm.img"
    if is_there:
        it.path.write_bytes(b"precious")
    before = list((tmpfs_dir / "precious").iterdir())
    assert ("standby-unsafe", before) == (_code(it, adopt=True), list((tmpfs_dir / "precious").iterdir()))


@needs_root
def test_a_file_among_the_devices_is_no_standby(it: DeviceStandby) -> None:
    """Somebody copied to a disk that was not there: what came is in memory."""
    it.path = Path(f"/dev/hikae-test-{os.getpid()}")
    it.path.write_bytes(b"")
    try:
        assert "standby-unsafe" == _code(it, adopt=True)
    finally:
        it.path.unlink()


def test_a_second_name_is_refused(it: DeviceStandby, tmpfs_dir: Path) -> None:
    """What has another name is somebody else's too."""
    (tmpfs_dir / "other").write_bytes(b"")
    os.link(tmpfs_dir / "other", it.path)
    assert _code(it) == "standby-unsafe"


def test_a_missing_device_is_no_place_for_a_file(it: DeviceStandby) -> None:
    """A device that is not there does not become a file among the devices."""
    it.path = Path("/dev/hikae-none")
    assert (_code(it), it.path.exists()) == ("standby-path-missing", False)


def test_an_image_that_is_gone_is_not_made_anew(it: DeviceStandby) -> None:
    """The standby vanished: held until it is back, or an operator says so."""
    applier = it.applier()
    applier.converge(it.put(b"a" * 70_000), silent)
    it.path.unlink()
    assert _code(it) == "standby-gone"


def test_another_image_in_its_place_is_not_written(it: DeviceStandby) -> None:
    """Another file stands where the standby was."""
    it.applier().converge(it.put(b"a" * 70_000), silent)
    it.dies()
    it.path.rename(it.path.with_suffix(".was"))
    it.path.write_bytes(b"b" * 70_000)
    assert (_code(it), it.content()) == ("standby-replaced", b"b" * 70_000)


def test_a_chunk_that_is_lost_stops_nothing_else(it: DeviceStandby) -> None:
    """The rest is written, the chunk is told, and what the commit says is made once it is there."""
    image = random.Random(3).randbytes(4 * DEVICE_CHUNK)
    newest = it.put(image)
    lost = [True]

    def read(name: bytes) -> bytes:
        data = it.kept.vault.read(name)
        if lost[0] and data == image[:DEVICE_CHUNK]:
            raise NotFound("read a chunk", name.hex(), "it is not there")
        return data

    applier = it.applier(read=read)
    done = applier.converge(newest, silent)
    assert (done.failed, applier.applied, it.board.has(CHUNK_DAMAGED)) == (1, NOTHING, True)
    assert it.content()[DEVICE_CHUNK:] == image[DEVICE_CHUNK:]
    lost[0] = False
    assert (applier.converge(newest, silent).failed, it.content(), it.board.has(CHUNK_DAMAGED)) == (0, image, False)
