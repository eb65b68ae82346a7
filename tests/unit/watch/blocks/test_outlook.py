"""How a device's changes would be noticed, asked beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.watch.blocks.outlook import TracingPlaces, TrackingOutlook, tracing_missing, tracking_outlook


def test_what_is_no_device_has_no_outlook(tmp_path: Path) -> None:
    """Nothing at the path, or a directory: nothing is followed there."""
    assert [TrackingOutlook()] * 2 == [tracking_outlook(str(path)) for path in (tmp_path, tmp_path / "none")]


def test_an_image_file_is_read_whole(tmp_path: Path) -> None:
    """That it is, is said."""
    (tmp_path / "image").write_bytes(b"x")
    outlook = tracking_outlook(str(tmp_path / "image"))
    assert ("events", "", True) == (outlook.kind, outlook.missing, "all of it is read" in outlook.doubt)


@pytest.mark.parametrize(
    ("filesystems", "lockdown", "missing"),
    [
        ("nodev\tproc\n", "", "this kernel has no tracefs"),
        (
            "nodev\ttracefs\n",
            "none integrity [confidentiality]\n",
            "the kernel is locked down (confidentiality), and lets nobody trace",
        ),
        ("nodev\ttracefs\n", "none [integrity] confidentiality\n", ""),
    ],
)
def test_a_kernel_that_does_not_trace(tmp_path: Path, filesystems: str, lockdown: str, missing: str) -> None:
    """By what it says of itself."""
    places = TracingPlaces(tmp_path / "filesystems", tmp_path / "lockdown")
    places.filesystems.write_text(filesystems)
    places.lockdown.write_text(lockdown)
    assert missing == tracing_missing(places)
