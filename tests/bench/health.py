"""Health while the machine is at its busiest: a load balancer asks the primary all through a first sync."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress

from bench import health_asker, ours, workloads
from bench.crew import Failed, until
from bench.figures import Row, Spec, alone, percentile
from bench.job import Bench
from fakes.agents import Pair
from fakes.web_agents import WebPorts, asked, with_web

RATE = 500.0
#: The part of all answers that must be 200: another one is for a node that serves nobody.
_SERVES = 0.95


def health(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """Both agents and the asker share the machine; every first sync is asked from its beginning to its end."""
    source = bench.base / "source"
    workloads.small_files(source, bench.sizes.small_files)
    p99: list[float] = []
    for _ in range(bench.sizes.small_runs):
        bench.memory.ready()
        with ours.agents(bench.base, source) as pair:
            took, seconds = _asked_through(pair, with_web(pair.alpha))
        p99.append(percentile(took, 0.99))
        rate, last, worst = len(took) / seconds, p99[-1] * 1000, max(took) * 1000
        bench.say(f"{rate:.0f} answers/s for {seconds:.1f} s, p99 {last:.1f} ms, the longest {worst:.0f} ms")
    yield alone(specs["health-p99"], p99)


def _asked_through(pair: Pair, ports: WebPorts) -> tuple[list[float], float]:
    """How long each answer took, and for how many seconds was asked. Raises ``Failed``."""
    pair.beta.start()
    pair.beta.up()
    pair.alpha.start()
    until(lambda: asked(ports.health, "/livez")[0] == 200, "hikae web")
    words = (sys.executable, health_asker.__file__, str(ports.health), str(RATE))
    asker = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        if asker.stdout is None or not asker.stdout.readline():
            raise Failed("the asker does not ask")
        ours.applied(pair)
        asker.send_signal(signal.SIGTERM)
        said, _ = asker.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            asker.kill()
        asker.wait()
    if asker.returncode != 0:
        raise Failed(f"the asker ended with {asker.returncode}")
    told = json.loads(said)
    if not told["took"]:
        raise Failed("nobody who serves answered")
    if told["codes"].get("200", 0) < _SERVES * len(told["took"]):
        raise Failed(f"it was asked while it did not serve: {told['codes']}")
    return told["took"], told["seconds"]
