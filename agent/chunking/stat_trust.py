"""Is what a stat says enough to know that an object did not change? Law 5, as pure functions.

A signature is inode number, ctime, mtime and size. It is

*clean*
    when everything dirty was written back (``syncfs``) after the last change it can hide, by more than the grain of the
    filesystem's clock. A store to a page that is already dirty moves no time; after the page was written back it does.
*soft*
    otherwise: enough for what raises events, read again by a reconcile.
*racy*
    when the object was read within the grain of its last change: a further change may carry the same time. Kept as ctime 0,
    which equals nothing (git's index does the like).
"""

from __future__ import annotations

import os
from enum import IntEnum

from agent.store.local import LocalRow

#: What a racy signature keeps for ctime.
RACY = 0


class Trust(IntEnum):
    """What a look needs to see before it believes that an object did not change."""

    #: Nothing: a hint always reads.
    NONE = 0
    #: An equal and clean signature: a reconcile.
    CLEAN = 1
    #: An equal signature, soft or not: a directory that events pointed at, or that just appeared.
    EQUAL = 2


def believed(trust: Trust, st: os.stat_result, known: LocalRow) -> bool:
    """Whether ``known`` still describes the object whose stat is ``st``, as far as ``trust`` goes."""
    if trust is Trust.NONE or st.st_ino != known.ino:
        return False
    if st.st_ctime_ns != known.ctime or st.st_mtime_ns != known.mtime or st.st_size != known.size:
        return False
    return known.clean or trust is Trust.EQUAL


def unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether two stats around a read show the same object at rest."""
    return (
        before.st_ino == after.st_ino
        and before.st_ctime_ns == after.st_ctime_ns
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_size == after.st_size
        and before.st_dev == after.st_dev
    )


def is_clean(ctime: int, synced_at: int, grain: int) -> bool:
    """Whether a signature with this ctime is clean, when a ``syncfs`` that began at ``synced_at`` (0: none) was
    over before the first stat. All in ns of the kernel's wall clock.

    The change must be older than the sync, not only than the read: a page that was dirtied between the two would take
    further stores in silence."""
    return ctime + grain < synced_at


def kept_ctime(ctime: int, read_at: int, grain: int) -> int:
    """The ctime to keep for an object whose read began at ``read_at``: ``RACY`` if it had only just changed."""
    return ctime if ctime + grain < read_at else RACY
