"""Disks serve a thread that has no hurry only when nobody else asks (ioprio_set(2)); some schedulers pass it over."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_int

from agent.fs._libc import syscall

_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "armv7l": 314, "i686": 289, "ppc64le": 273, "s390x": 282}
_WHO_PROCESS, _THIS_THREAD = 1, 0
#: The class in the upper bits: 3 is idle; 0 none of its own, as every thread begins.
_IDLE, _AS_USUAL = 3 << 13, 0


@contextmanager
def low_io_priority() -> Iterator[None]:
    """What this thread reads inside comes after everybody else's reads."""
    _set(_IDLE)
    try:
        yield
    finally:
        _set(_AS_USUAL)


def _set(priority: int) -> None:
    """A kernel that refuses it, or does not have it, does without."""
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        syscall(number, c_int(_WHO_PROCESS), c_int(_THIS_THREAD), c_int(priority))
