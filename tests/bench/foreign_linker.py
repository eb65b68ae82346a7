"""Gives files second names and takes these away, at a steady rate until SIGTERM, then prints how many changes that were in how
many seconds, as JSON: ``DIRECTORY RATE``. Each is a change of a link count. A line says before that it has done so with all files
once; it counts from there.

All names are given before the first is taken away, so that the kernel makes one record of no two changes. What it did not get to
in time it makes up for."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

FILES = 1_000
#: A round: each file gets its second name, then each loses it.
ROUND = 2 * FILES
_EVERY = 0.001
#: So many changes at once at most, before it is asked whether all is over.
_AT_ONCE = 200


def make(place: Path) -> None:
    """The files, empty, before the first change."""
    for file in range(FILES):
        (place / f"a{file}").touch()


def change(place: Path, number: int) -> None:
    """The change of this number, from 0 on, each after the one before."""
    file = number % FILES
    if number % ROUND < FILES:
        os.link(f"{place}/a{file}", f"{place}/b{file}")
    else:
        os.unlink(f"{place}/b{file}")


def _all(place: Path, rate: float) -> None:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    make(place)
    begun, done = time.monotonic(), 0
    counted = begun
    while not ended:
        due = int((time.monotonic() - begun) * rate)
        for number in range(done, min(due, done + _AT_ONCE)):
            change(place, number)
            done += 1
            if done == ROUND:
                counted = time.monotonic()
                print("changing", flush=True)
        time.sleep(_EVERY)
    print(json.dumps({"changes": done - ROUND, "seconds": time.monotonic() - counted}))


if __name__ == "__main__":
    _all(Path(sys.argv[1]), float(sys.argv[2]))
