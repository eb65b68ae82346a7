"""Runs of a peer beside ours."""

from __future__ import annotations

from bench.crew import Failed
from bench.figures import Spec, paired, unmeasured
from bench.job import Beside
from bench.machine import Unmeasurable

_SPEC = Spec("copy", "copying", "rsync", limit=0.9)


def _cannot() -> float:
    raise Unmeasurable("rsync is not installed")


def _fails() -> float:
    raise Failed("rsync ended with 23")


def test_a_peer_that_runs_gives_pairs() -> None:
    """One figure a run, in order."""
    peer = Beside()
    for seconds in (2.0, 4.0):
        peer.run(lambda value=seconds: value)  # type: ignore[misc]  # a default binds the loop's value
    assert paired(_SPEC, [1.0, 3.0], [2.0, 4.0]) == peer.row(_SPEC, [1.0, 3.0])


def test_a_peer_that_failed_once_is_left_out_with_the_reason() -> None:
    """Half of the pairs are no figure; our own part is still shown."""
    for broken, reason in ((_cannot, "rsync is not installed"), (_fails, "rsync ended with 23")):
        peer = Beside()
        peer.run(lambda: 2.0)
        peer.run(broken)
        peer.run(lambda: 2.0)
        assert unmeasured(_SPEC, reason, [1.0, 1.0, 1.0]) == peer.row(_SPEC, [1.0, 1.0, 1.0])


def test_what_a_peer_does_in_addition_is_added_run_by_run() -> None:
    """A copy and then its backup is one job; without the second there is none."""
    copy, backup = Beside([1.0, 2.0]), Beside([3.0, 6.0])
    assert paired(_SPEC, [1.0, 1.0], [4.0, 8.0]) == copy.row(_SPEC, [1.0, 1.0], backup)
    assert "no restic" == copy.row(_SPEC, [1.0, 1.0], Beside(reason="no restic")).reason
