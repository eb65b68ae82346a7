"""Job: what keeping a moment costs, telling two apart, and finding a name in many; by the commands, of very many files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.api.client import AdminClient
from agent.operations.comparing import DiffRequest, FindRequest
from agent.operations.declaration import Request
from agent.operations.generations import GenerationsTakeRequest
from bench import ours, workloads
from bench.crew import Failed
from bench.figures import Row, Spec, alone
from bench.job import Bench
from bench.specs import DIFFERENCES, GENERATIONS

#: In memory, for a file: as in ``many``.
_A_FILE = 4096
_RUNS = 5


def moments(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """Generations of a standby of very many files: what does not change between them is not copied."""
    sizes = bench.sizes
    bench.need_room(sizes.many_files * _A_FILE)
    source = bench.base / "source"
    workloads.empty_files(source, sizes.many_files)
    with ours.agents(bench.base, source) as pair:
        bench.say(f"first sync: {ours.first_sync(pair):.2f} s")
        beta = AdminClient(str(pair.beta.socket))
        takes = [_seconds(beta, GenerationsTakeRequest("web")) for _ in range(_RUNS)]
        yield alone(specs["take"], takes)
        _write(source, min(DIFFERENCES, sizes.many_files))
        ours.applied(pair)
        beta.ask(GenerationsTakeRequest("web"))
        diffs = [_seconds(beta, DiffRequest("web", "latest~1", "latest")) for _ in range(_RUNS)]
        yield alone(specs["diff"], diffs)
        for _ in range(GENERATIONS - _RUNS - 1):
            beta.ask(GenerationsTakeRequest("web"))
        last = f"f{sizes.many_files - 1}"
        for row, pattern in (("find-name", last), ("find-path", f"d*/{last}")):
            if not any(one.get("path", "").endswith(last) for one in beta.ask(FindRequest("web", pattern))):
                raise Failed(f"{pattern} was not found")
            yield alone(specs[row], [_seconds(beta, FindRequest("web", pattern)) for _ in range(_RUNS)])


def _seconds(beta: AdminClient, request: Request[Any]) -> float:
    begun = time.monotonic()
    beta.ask(request)
    return time.monotonic() - begun


def _write(source: Path, count: int) -> None:
    """A byte into each of the first files."""
    for number in range(count):
        fd = os.open(source / f"d{number // 1000:04}" / f"f{number}", os.O_WRONLY)
        os.write(fd, b"x")
        os.close(fd)
