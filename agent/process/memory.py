"""How the process uses memory and looks for garbage: set once, before the threads begin.

A first sync takes and gives back hundreds of megabytes a second in pieces of a few kilobytes, and makes hundreds of thousands of
tuples. glibc would return the memory to the kernel at once and have it zeroed again; Python would walk all that lives every 700
new tuples, which are freed by their counts anyway. Together a tenth of the time on both sides (docs/performance.md).
"""

from __future__ import annotations

import ctypes
import gc

#: What may be made and still live before circles are looked for: some 20 MiB at most.
_NEW_OBJECTS, _MIDDLE, _OLD = 200_000, 10, 10
#: Of mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENAS = -1, -2, -3, -8
_KEPT = 64 << 20
_AHEAD = 4 << 20
_MAPPED_FROM = 16 << 20
#: One heap for all threads: what one has freed, another takes. Little is taken beside the interpreter's lock.
_HEAPS = 1


def settle_in() -> None:
    """Keep freed memory up to a bound, and look for circles seldom. A C library without ``mallopt`` is left as it is."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _MIDDLE, _OLD)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in (
            (_TRIM_THRESHOLD, _KEPT),
            (_TOP_PAD, _AHEAD),
            (_MMAP_THRESHOLD, _MAPPED_FROM),
            (_ARENAS, _HEAPS),
        ):
            mallopt(option, value)


def collect_young() -> None:
    """Free what is young and in circles; once a second, however little was made: a few circles can hold large buffers."""
    gc.collect(1)
