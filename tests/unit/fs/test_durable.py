"""Durable writes of our own state."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent.fs import _libc, durable


class Order:
    """Records what was asked of the kernel, in order, and does it; fails where it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fail: str = "") -> None:
        self.calls: list[str] = []
        self._fail = fail
        for name in ("fsync", "rename", "pwrite"):
            monkeypatch.setattr(os, name, self._recorded(name, getattr(os, name)))

    def _recorded(self, name: str, real: object) -> object:
        def call(*given: object) -> object:
            self.calls.append(name)
            if name == self._fail:
                raise OSError(5, "injected")
            assert callable(real)
            return real(*given)

        return call


def test_content_then_rename_then_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is durable before the name points at it, and the name before the call returns."""
    order = Order(monkeypatch)

    durable.write_durably(str(tmp_path / "state"), b"content", 0o640)

    found = tmp_path / "state"
    assert ["pwrite", "fsync", "rename", "fsync"] == order.calls
    assert (b"content", 0o640) == (found.read_bytes(), stat.S_IMODE(found.stat().st_mode))
    assert [found] == list(tmp_path.iterdir())


@pytest.mark.parametrize("fail", ["pwrite", "fsync", "rename"])
def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: str) -> None:
    """Whatever fails, the old content stands, nothing else is left, and the error is raised."""
    (tmp_path / "state").write_bytes(b"old")
    Order(monkeypatch, fail)

    with pytest.raises(OSError, match="injected"):
        durable.write_durably(str(tmp_path / "state"), b"new")

    assert {"state": b"old"} == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_left_over_is_replaced(tmp_path: Path) -> None:
    """What a crash left half written, or somebody planted as a link, is not written through."""
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "state.new").symlink_to("victim")

    durable.write_durably(str(tmp_path / "state"), b"new")

    assert {"state": b"new", "victim": b"precious"} == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare file name stands in the working directory."""
    monkeypatch.chdir(tmp_path)

    durable.write_durably("state", b"1")

    assert b"1" == (tmp_path / "state").read_bytes()


def test_sync_filesystem(tmp_path: Path) -> None:
    """A directory's descriptor will do; a closed one is an error."""
    fd = os.open(tmp_path, os.O_RDONLY)
    durable.sync_filesystem(fd)
    durable.sync_dir(str(tmp_path))
    os.close(fd)

    with pytest.raises(OSError, match="Bad file descriptor"):
        durable.sync_filesystem(fd)


@pytest.mark.parametrize(
    ("magic", "grain"),
    [(0xEF53, 20_000_000), (0x01021994, 20_000_000), (0x4D44, 2_000_000_000), (0x6969, 1_000_000_000)],
)
def test_grain_by_filesystem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, magic: int, grain: int) -> None:
    """20 ms where the kernel stamps, more where the format or another machine does."""
    fd = os.open(tmp_path, os.O_RDONLY)
    monkeypatch.setattr(_libc, "magic_of", lambda _: magic)

    assert grain == durable.timestamp_grain_ns(fd)
    os.close(fd)
