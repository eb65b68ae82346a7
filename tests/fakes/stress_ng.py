"""stress-ng's filesystem stressors, which work in a directory until they are killed amid whatever they do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

needs_stress_ng = pytest.mark.skipif(shutil.which("stress-ng") is None, reason="takes stress-ng (apt-get install it)")
#: They mount filesystems of their own, or ask for what only another kernel has.
_NOT_OURS = {"bind-mount", "binderfs", "verity"}


def filesystem_stressors() -> list[str]:
    """The names of the stressors that this stress-ng counts to its filesystem class, as far as they are for a directory."""
    done = subprocess.run(["stress-ng", "--class", "filesystem?"], capture_output=True, text=True, check=False)
    return sorted(set(done.stdout.partition(":")[2].split()) - _NOT_OURS)


@contextmanager
def stressing(
    where: Path, stressors: Sequence[str], mebibytes: int, seconds: float
) -> Iterator[subprocess.Popen[bytes]]:
    """Two of each at once, and killed at the end of the block: what they made stays as it is. ``mebibytes``: the large files of
    one of them at most, so that the disk does not fill; ``seconds``: after which they end by themselves."""
    words = ["stress-ng", "--temp-path", str(where), "--timeout", f"{seconds:.0f}s"]
    for what, share in (("hdd", 4), ("fallocate", 2), ("iomix", 4), ("copy-file", 1)):
        words += [f"--{what}-bytes", f"{max(1, mebibytes // share)}m"]
    for stressor in stressors:
        words += [f"--{stressor}", "2"]
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # "open" leaves files where it stands when it is killed.
        cwd=where,
    ) as running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
