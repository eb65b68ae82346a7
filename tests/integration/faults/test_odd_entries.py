"""Entries that lead nowhere, in circles, out of the tree or into another filesystem: copied as they are, or said."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.mounts import bound, memory, needs_root
from fakes.trees import differences


def test_links_in_circles_and_out_of_the_tree() -> None:
    """Symbolic links are copied as links and never followed, on either side."""
    with pair() as both:
        outside = both.base / "outside"
        outside.mkdir()
        (outside / "secret").write_text("not part of the dataset")
        targets = {
            "self": "self",
            "one": "two",
            "two": "one",
            "here": ".",
            "up": "..",
            "root": "/",
            "outside": str(outside),
            "secret": str(outside / "secret"),
            "nowhere": "no/such/place",
            "deep/back": "../deep",
        }
        (both.source / "deep").mkdir()
        for name, target in targets.items():
            (both.source / name).symlink_to(target)
        both.begin()
        assert targets == {name: os.readlink(both.target / name) for name in targets}
        (both.source / "root").unlink()
        (both.source / "root").symlink_to(both.target)
        (both.source / "later").symlink_to("later")
        both.mirror()
        assert ["secret"] == os.listdir(outside)
        both.alpha.cleared("disconnected")
        assert not both.alpha.problems()


def test_a_socket_is_skipped_and_said() -> None:
    """Sockets mean nothing elsewhere: skipped with a word, which goes with the socket."""
    with pair() as both:
        path = both.source / "run" / "app.sock"
        path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            both.begin()
            assert "run/app.sock" == both.alpha.told("socket-skipped")["path"]
            assert [] == os.listdir(both.target / "run")
        path.unlink()
        both.alpha.cleared("socket-skipped")
        both.mirror()


@needs_root
def test_a_nested_mount_is_not_crossed() -> None:
    """What is mounted inside the source stays out, and status says so; unmounted, the directory is an ordinary one again."""
    with pair() as both:
        inner = both.source / "inner"
        inner.mkdir()
        (inner / "below").write_text("hidden while something is mounted here")
        with memory(inner):
            (inner / "elsewhere").write_text("another filesystem")
            both.start()
            told = both.alpha.told("nested-mount")
            assert ("inner", "warning") == (told["path"], told["severity"])
            eventually(lambda: both.alpha.run("check").returncode == 1)
            both.alpha.wait()
            (inner / "live").write_text("also not")
            (both.source / "beside").write_text("this is ours")
            both.alpha.wait()
            assert (["beside", "inner"], []) == (_names(both.target), _names(both.target / "inner"))
        both.settle()
        assert [] == differences(str(both.source), str(both.target))
        both.alpha.cleared("nested-mount")


@needs_root
def test_mounts_come_and_go_while_it_runs() -> None:
    """Neither tells of itself: within seconds each is said, and cleared, also that of a single file."""
    with pair() as both:
        for name in ("inner/", "file", "other"):
            (both.source / name).mkdir() if name.endswith("/") else (both.source / name).write_text(name)
        both.begin()
        with memory(both.source / "inner"), bound(both.source / "other", both.source / "file"):
            eventually(lambda: {"inner", "file"} == mounted(both))
        eventually(lambda: set() == mounted(both))
        both.mirror()


def mounted(both: Pair) -> set[str]:
    """Where the primary says that something is mounted."""
    return {one["path"] for one in both.alpha.look()["problems"] if one["code"] == "nested-mount"}


@needs_root
def test_a_mount_over_what_was_replicated_is_undone_with_it() -> None:
    """A filesystem mounted over a directory that the standby has: empty there too, and said; all is back with the unmount."""
    with pair() as both:
        inner = both.source / "inner"
        inner.mkdir()
        (inner / "precious").write_text("hidden for a while")
        both.begin()
        with memory(inner):
            both.alpha.json("reconcile", "web")
            assert "empty directory" in both.alpha.told("nested-mount")["message"]
        both.settle()
        assert [] == differences(str(both.source), str(both.target))
        both.alpha.cleared("nested-mount")


def _names(directory: Path) -> list[str]:
    return sorted(name for name in os.listdir(directory) if name != ".hikae")
