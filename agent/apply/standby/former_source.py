"""The tree of a node that was the primary becomes its standby: it stays as it is, and is known to equal what was captured."""

from __future__ import annotations

import os
from contextlib import closing

from agent.apply.checkpoint import STATE, believe_equal
from agent.apply.holds import PINNED
from agent.apply.output.directory import Handling, foreign_errors, open_output
from agent.apply.owed_versions import SHORT
from agent.apply.ports import NothingAdopted
from agent.apply.standby.kept_problems import REMEMBERED
from agent.apply.standby.taken import expect_standby, mark_standby
from agent.core.ids import CommitNumber
from agent.fs.confined import open_root
from agent.fs.root import root_identity
from agent.store.local import Local

_WHAT = "the tree"


def take_for_standby(path: str, dataset: str, local: Local, commit: CommitNumber, scratch: str) -> None:
    """On entry nobody writes into the tree at ``path``, and it equals ``commit``. On exit the next applier knows it as the
    standby, durably. Raises ``RootFailed``, ``Held``, ``StoreFailed``."""
    for key in (*STATE, PINNED, SHORT, REMEMBERED):
        local.set_value(key, b"")
    with foreign_errors(path, _WHAT):
        root = open_root(path)
        was = os.fstat(root)
    how = Handling(_WHAT, lambda _step: None, NothingAdopted(), scratch)
    with closing(open_output(path, root, how)) as output, foreign_errors(path, _WHAT):
        mark_standby(output.private, dataset.encode())
        # Our directory in it may be new, and is nothing that the root's time should tell of.
        os.utime(output.root, ns=(was.st_atime_ns, was.st_mtime_ns))
        # What capture read may be in memory alone: what is believed of the tree is true after a power cut too.
        output.sync()
        expect_standby(local, root_identity(output.root).encoded())
        believe_equal(local, commit, output.private)
