"""Which watcher is chosen, and why."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agent.core.errors import ConfigError, Exit, NotFound, NotPermitted
from agent.watch.choose import KINDS, choose
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import no_further_names


class RefusingGroups(FanotifyGroups):
    """Groups on a machine that lets us not use fanotify."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def refusal(self, root: str) -> OSError | None:
        return OSError(self.number, os.strerror(self.number))


@pytest.mark.skipif(os.geteuid() != 0, reason="fanotify needs root")
def test_fanotify_where_it_can_be_had(tmp_path: Path) -> None:
    """As root on an ordinary filesystem."""
    watcher = choose(str(tmp_path), None, FanotifyGroups(), no_further_names)
    assert ("fanotify", "every change on the filesystem is told") == (watcher.kind, watcher.why)


def test_inotify_without_the_privilege(tmp_path: Path) -> None:
    """And it says which one."""
    watcher = choose(str(tmp_path), None, RefusingGroups(errno.EPERM), no_further_names)
    assert ("inotify", "fanotify cannot be used: it needs root (CAP_SYS_ADMIN)") == (watcher.kind, watcher.why)


def test_inotify_where_the_mark_is_refused(tmp_path: Path) -> None:
    """btrfs subvolumes, overlayfs."""
    assert "inotify" == choose(str(tmp_path), None, RefusingGroups(errno.EXDEV), no_further_names).kind
    assert "inotify" == choose(str(tmp_path), None, RefusingGroups(errno.EOPNOTSUPP), no_further_names).kind


def test_polling_where_others_write(tmp_path: Path) -> None:
    """A network filesystem tells nothing of what its other clients do."""
    watcher = choose(str(tmp_path), None, FanotifyGroups(), no_further_names, magic_of=lambda _: 0x6969)
    assert ("polling", "NFS tells of no changes that others make") == (watcher.kind, watcher.why)


@pytest.mark.parametrize("kind", KINDS)
def test_forced(kind: str, tmp_path: Path) -> None:
    """The configuration wins where it is possible."""
    if kind == "fanotify" and os.geteuid() != 0:
        pytest.skip("fanotify needs root")
    watcher = choose(str(tmp_path), kind, FanotifyGroups(), no_further_names)
    assert (kind, "the configuration says so") == (watcher.kind, watcher.why)


def test_forced_but_impossible(tmp_path: Path) -> None:
    """A typed error with a remedy, never something else instead."""
    with pytest.raises(NotPermitted, match="run the agent as root") as refused:
        choose(str(tmp_path), "fanotify", RefusingGroups(errno.EPERM), no_further_names)
    assert Exit.NOT_PERMITTED is refused.value.exit_code
    with pytest.raises(ConfigError, match="let the agent choose"):
        choose(str(tmp_path), "fanotify", RefusingGroups(errno.EXDEV), no_further_names)


def test_nonsense_and_nothing(tmp_path: Path) -> None:
    """A kind that does not exist; a root that does not."""
    with pytest.raises(ConfigError, match="fanotify, inotify, polling"):
        choose(str(tmp_path), "kqueue", FanotifyGroups(), no_further_names)
    with pytest.raises(NotFound, match="no such directory"):
        choose(str(tmp_path / "gone"), None, FanotifyGroups(), no_further_names)
