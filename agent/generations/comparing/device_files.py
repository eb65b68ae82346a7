"""The files that differ between two moments of a device: both are mounted, and walked beside each other.

Executed by root (``python -m agent.generations.comparing.device_files CATALOG VAULT OLD NEW DIRECTORY``), since all that it
mounts is seen by itself alone and ends with it. It says a line of JSON for each filesystem and each entry that differs, and at
last one that says that it came to its end.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent.core.errors import HikaeError, Refused
from agent.fs.attaching.loop_device import WHOLE, attach_loop
from agent.fs.attaching.mounting import mount_to_read, mounts_of_its_own, unmount_at_once
from agent.fs.attaching.partitions import partitions_of
from agent.fs.content import read_exact
from agent.generations.comparing.walked_files import ChangedFile, files_between
from agent.generations.mounting import two_images

OPERATION = "compare the files of two moments"
_PR_SET_PDEATHSIG = 1
_STANDS, _LOOK = 60.0, 0.05
#: A line of ours; Any: what JSON holds.
Line = dict[str, Any]


def lines_between(catalog: str, vault: str, old: str, new: str, place: Path) -> Iterator[Line]:
    """See the module. ``place``: an empty directory, which has the room for what journals write."""
    with ExitStack() as stack:
        images = place / "images"
        images.mkdir()
        _serve([catalog, vault, old, new], images, stack)
        files = [os.open(images / os.fsdecode(name), os.O_RDWR) for name in (two_images.OLD, two_images.NEW)]
        for file in files:
            stack.callback(os.close, file)
        for number, part in _parts(files[1]):
            with ExitStack() as mounts:
                yield from _of_one(number, part, _mounted(number, part, files, place, mounts), mounts)


def _parts(image: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """The partitions of the newer image with their numbers; all of it as 0 where it has none."""
    found = partitions_of(lambda offset, length: read_exact(image, offset, length), os.fstat(image).st_size)
    yield from ((one.number, (one.start, one.length)) for one in found)
    if not found:
        yield 0, WHOLE


def _mounted(
    number: int, part: tuple[int, int], files: list[int], place: Path, stack: ExitStack
) -> list[tuple[str, str]]:
    """Where that part of each image is mounted, and which filesystem it has, "" where it has none."""
    found: list[tuple[str, str]] = []
    for name, file in zip(("old", "new"), files, strict=True):
        where = place / f"{name}-{number}"
        where.mkdir()
        held, node = attach_loop(file, str(place), OPERATION, part)
        stack.callback(os.close, held)
        stack.callback(unmount_at_once, str(where))
        found.append((str(where), mount_to_read(node, str(where))))
    return found


def _of_one(number: int, part: tuple[int, int], mounted: list[tuple[str, str]], stack: ExitStack) -> Iterator[Line]:
    """What differs in one filesystem."""
    named: Line = {"filesystem": f"partition {number}" if part != WHOLE else "the whole device"}
    kind = mounted[1][1]
    if not all(kind for _, kind in mounted):
        yield {**named, "kind": "", "why": "no filesystem that can be mounted here, at both moments"}
        return
    yield {**named, "kind": kind, "why": ""}
    roots = [os.open(where, os.O_RDONLY | os.O_DIRECTORY) for where, _ in mounted]
    for root in roots:
        stack.callback(os.close, root)
    for one in files_between(roots[0], roots[1], lambda: None):
        yield {**named, **_entry(one)}


def _entry(one: ChangedFile) -> Line:
    there = one.new or one.old
    assert there is not None
    return {
        "what": one.kind.value,
        "path": os.fsdecode(one.path),
        "mode": there.st_mode,
        "bytes": _size(one.new),
        "bytes_before": _size(one.old),
    }


def _size(st: os.stat_result | None) -> int:
    return st.st_size if st is not None and stat.S_ISREG(st.st_mode) else 0


def _serve(words: list[str], images: Path, stack: ExitStack) -> None:
    """The images stand at a directory until the stack is left."""
    command = [sys.executable, "-m", two_images.__name__, *words, str(images)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    until = time.monotonic() + _STANDS
    while not os.path.ismount(images):
        if process.poll() is not None or time.monotonic() >= until:
            raise Refused(OPERATION, "", "the moments cannot be shown as images", "what is wrong stands above")
        time.sleep(_LOOK)


def say_lines(words: list[str]) -> int:
    """All of it, to stdout; 1 with a sentence on stderr where it came to no end."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    catalog, vault, old, new, place = words
    try:
        mounts_of_its_own()
        for line in lines_between(catalog, vault, old, new, Path(place)):
            print(json.dumps(line), flush=True)
        print(json.dumps({"end": True}), flush=True)
    except (OSError, HikaeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(say_lines(sys.argv[1:]))
