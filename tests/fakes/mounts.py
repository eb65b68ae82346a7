"""Filesystems in memory, mounted for a test: small ones that fill up, ones that stand inside or instead of a tree."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: For tests that mount.
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def mount_memory(where: Path, size: str = "64m") -> None:
    """Mount an empty filesystem in memory of at most ``size`` at an existing directory."""
    _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "hikae-test", str(where))


def enlarge(where: Path, size: str) -> None:
    """Give it another size."""
    _run("mount", "-o", f"remount,size={size}", str(where))


def unmount(where: Path) -> None:
    """Take it away; whoever still has something open there keeps it."""
    _run("umount", "-l", str(where))


@contextmanager
def memory(where: Path, size: str = "64m") -> Iterator[Path]:
    """A filesystem in memory at ``where`` (made if absent) for as long as the block lasts."""
    where.mkdir(exist_ok=True)
    mount_memory(where, size)
    try:
        yield where
    finally:
        unmount(where)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"


@contextmanager
def bound(what: Path, where: Path) -> Iterator[Path]:
    """A directory or file that stands, mounted at another one as well, for as long as the block lasts."""
    _run("mount", "--bind", str(what), str(where))
    try:
        yield where
    finally:
        unmount(where)


@contextmanager
def unanswered(where: Path) -> Iterator[Path]:
    """A FUSE filesystem whose program answers nothing, at ``where``: a stat of it does not return before the block's end. Skips
    where there is no FUSE."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse")
    served = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    try:
        options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % served
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"hikae-test", os.fsencode(where), b"fuse", 0, options):
            pytest.skip(f"FUSE cannot be mounted: {os.strerror(ctypes.get_errno())}")
        try:
            yield where
        finally:
            # Whoever waits for an answer gets an error then, and the mount can go.
            os.close(served)
            served = -1
            unmount(where)
    finally:
        if served >= 0:
            os.close(served)
