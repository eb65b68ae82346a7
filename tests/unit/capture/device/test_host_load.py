"""What the kernel tells of the host's load."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.capture.device.host_load import LoadPlaces, host_load

_PRESSURE = "some avg10=1.08 avg60=0.79 avg300=4.52 total={total}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=17\n"


def _places(base: Path) -> LoadPlaces:
    places = LoadPlaces(base / "cpu", base / "io", base / "stat")
    places.cpu.write_text(_PRESSURE.format(total=2_500_000))
    places.io.write_text(_PRESSURE.format(total=1_000_000))
    tick = os.sysconf("SC_CLK_TCK")
    user, nice, system, idle, iowait, irq, softirq, steal, guest = (1000 * tick * one for one in range(1, 10))
    places.stat.write_text(f"cpu  {user} {nice} {system} {idle} {iowait} {irq} {softirq} {steal} {guest} 0\ncpu0 1 2\n")
    return places


def test_what_is_read(tmp_path: Path) -> None:
    """Microseconds of pressure, and ticks of all processors but those idle, stolen, or our own."""
    found = host_load(_places(tmp_path))
    assert found is not None
    assert (2.5, 1.0) == (found.cpu_stalled, found.io_stalled)
    assert 18_000 < found.used < (1 + 2 + 3 + 6 + 7) * 1000


@pytest.mark.parametrize("gone", ["cpu", "io", "stat"])
def test_a_kernel_that_does_not_tell(tmp_path: Path, gone: str) -> None:
    """Nothing is known then, and nothing is wrong."""
    places = _places(tmp_path)
    (tmp_path / gone).unlink()
    assert None is host_load(places)
    (tmp_path / gone).write_text("some nonsense\n")
    assert None is host_load(places)
