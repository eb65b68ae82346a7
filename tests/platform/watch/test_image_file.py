"""A raw image file is followed by its times."""

from __future__ import annotations

import mmap
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.fs.durable import timestamp_grain_ns
from agent.watch.blocks.image_file import ImageFileTracker
from fakes.eventually import eventually
from fakes.loop_device import attached, needs_loops, sparse
from fakes.written_disk import random_writer

_WRITTEN = "the image file was written, and nothing tells where"


@contextmanager
def tracking(
    path: Path, wake: Callable[[], None] = lambda: None, saved: Path | None = None
) -> Iterator[ImageFileTracker]:
    """A tracker that looks often."""
    tracker = ImageFileTracker(str(path), saved, interval=0.01)
    tracker.start(wake)
    try:
        yield tracker
    finally:
        tracker.stop()


def quiet(tracker: ImageFileTracker) -> None:
    """Take until nothing is owed: a file that was written this very moment is read again."""
    eventually(lambda: tracker.take().reconcile is None)


def test_a_write_is_told(ext4_dir: Path) -> None:
    """The first take asks for everything, as does each after a write, and no other."""
    image = sparse(ext4_dir / "image", 1 << 20)
    woken: list[None] = []
    with tracking(image, lambda: woken.append(None)) as tracker:
        assert "what was written before the agent started was not noted" == tracker.take().reconcile
        quiet(tracker)
        woken.clear()
        with image.open("r+b") as file:
            file.write(b"x")
        eventually(lambda: bool(woken))
        assert ((), _WRITTEN) == tracker.take()
        quiet(tracker)


def test_a_write_in_the_moment_of_a_take_is_told_again(ext4_dir: Path) -> None:
    """Two writes may carry one time: a file that was written just now is owed again."""
    image = sparse(ext4_dir / "image", 1 << 20)
    with tracking(image) as tracker:
        quiet(tracker)
        fd = os.open(image, os.O_RDWR)
        try:
            grain = timestamp_grain_ns(fd)
            os.utime(fd, ns=(0, 2**62))
            assert (_WRITTEN, _WRITTEN) == (tracker.take().reconcile, tracker.take().reconcile)
            assert grain > 0
        finally:
            os.close(fd)


def test_stores_to_mapped_memory_are_told(ext4_dir: Path) -> None:
    """The page was dirty before, so that only a write-back makes the next store move a time."""
    image = sparse(ext4_dir / "image", 1 << 20)
    with tracking(image) as tracker, image.open("r+b") as file, mmap.mmap(file.fileno(), 1 << 20) as memory:
        for round_ in range(3):
            memory[5] = round_ + 1
            eventually(lambda: tracker.take().reconcile == _WRITTEN)
            quiet(tracker)


@needs_loops
def test_writes_through_a_loop_device_are_told(ext4_dir: Path, rng: random.Random) -> None:
    """No event tells of them; the times do."""
    image = sparse(ext4_dir / "image", 8 << 20)
    with attached(image) as device, tracking(image) as tracker:
        quiet(tracker)
        with random_writer(device, rng) as writer:
            writer.fast(1)
            eventually(lambda: tracker.take().reconcile == _WRITTEN)


def test_a_clean_stop_is_remembered(ext4_dir: Path) -> None:
    """What nobody wrote meanwhile need not be read; the note is used once, and a write meanwhile is told."""
    image, saved = sparse(ext4_dir / "image", 1 << 20), ext4_dir / "saved"
    with tracking(image) as tracker:
        quiet(tracker)
        tracker.save(saved)
    with tracking(image, saved=saved) as tracker:
        assert (None, False) == (tracker.take().reconcile, saved.exists())
        tracker.save(saved)
    image.write_bytes(b"other")
    with tracking(image, saved=saved) as tracker:
        assert _WRITTEN == tracker.take().reconcile


def test_what_was_given_back_is_owed(ext4_dir: Path) -> None:
    """A reconcile that could not be done comes again, and nothing is kept for the next start."""
    image, saved = sparse(ext4_dir / "image", 1 << 20), ext4_dir / "saved"
    with tracking(image) as tracker:
        taken = tracker.take()
        quiet(tracker)
        tracker.restore(taken)
        tracker.save(saved)
        assert (False, taken.reconcile) == (saved.exists(), tracker.take().reconcile)


def test_an_image_that_is_gone(ext4_dir: Path) -> None:
    """Said by the audit and by each take; the image that comes back is read whole."""
    image = sparse(ext4_dir / "image", 1 << 20)
    with tracking(image) as tracker:
        quiet(tracker)
        image.unlink()
        why = f"the image file cannot be looked at: {os.strerror(2)}"
        assert (why, why) == (tracker.audit(), tracker.take().reconcile)
        sparse(image, 1 << 20)
        assert (None, _WRITTEN) == (tracker.audit(), tracker.take().reconcile)
