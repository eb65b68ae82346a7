"""Debian's Prometheus scrapes a live pair; every expression of the dashboard and of the alerts finds what it names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.agents import REPOSITORY, free_port, pair
from fakes.eventually import eventually
from fakes.web_agents import asked, with_web

MONITORING = REPOSITORY / "docs" / "monitoring"
pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed (package prometheus)"
)
#: What a standby knows only a while after it hears its primary: understood, and perhaps not there yet.
_LATER = ("hikae_dataset_loss_predicted_seconds",)


@contextmanager
def _prometheus(base: Path, targets: list[int]) -> Iterator[int]:
    """Scrapes these ports of loopback every second; its own port."""
    port, config = free_port(), base / "prometheus.yml"
    jobs = ", ".join(f"'127.0.0.1:{target}'" for target in targets)
    config.write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{MONITORING / 'alerts.yml'}']\n"
        f"scrape_configs:\n  - job_name: hikae\n    static_configs:\n      - targets: [{jobs}]\n"
    )
    words = [
        f"--config.file={config}",
        f"--storage.tsdb.path={base / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (base / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *words], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def _query(port: int, expression: str) -> list[dict[str, Any]]:
    """The series of an expression now. Fails for one that is not understood."""
    code, body = asked(port, f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    if code in (0, 503):  # it is not ready yet
        return []
    answered = json.loads(body)
    assert "success" == answered["status"], (expression, answered)
    found: list[dict[str, Any]] = answered["data"]["result"]
    return found


def _expressions() -> list[str]:
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    return [target["expr"].replace("$dataset", ".*") for panel in panels for target in panel["targets"]]


def test_every_panel_shows_a_live_pair(tmp_path: Path) -> None:
    """Grafana itself cannot be had here: its dashboard is read, and each expression asked of Prometheus as Grafana would."""
    with pair() as both:
        ports = [with_web(agent) for agent in both.agents]
        (both.source / "file").write_bytes(b"x")
        both.begin()
        both.alpha.json("wait", "web", "--applied", timeout=60)
        both.beta.json("generations", "take", "web", timeout=60)
        both.beta.json("verify", "web", timeout=60)
        eventually(lambda: all(asked(port.console, "/metrics")[0] == 200 for port in ports))
        with _prometheus(tmp_path, [port.console for port in ports]) as prometheus:
            eventually(lambda: len(_query(prometheus, "hikae_state_fresh == 1")) == 2)
            waiting = set(_expressions())

            def all_found() -> bool:
                waiting.difference_update([one for one in waiting if _query(prometheus, one)])
                return not {one for one in waiting if not any(later in one for later in _LATER)}

            try:
                eventually(all_found, within=60.0)
            except AssertionError as error:
                raise AssertionError(f"nothing for {waiting}") from error
            _rules_are_understood(prometheus)


def _rules_are_understood(prometheus: int) -> None:
    """All of them are evaluated without an error; a pair that is well fires none that is critical."""
    expected = len(re.findall(r"- alert:", (MONITORING / "alerts.yml").read_text()))
    rules = json.loads(asked(prometheus, "/api/v1/rules")[1])["data"]["groups"][0]["rules"]
    bad = [rule["name"] for rule in rules if rule["health"] == "err"]
    firing = [rule["name"] for rule in rules if rule["state"] == "firing" and rule["labels"]["severity"] == "critical"]
    assert (expected, [], []) == (len(rules), bad, firing)


def test_the_dashboard_is_one() -> None:
    """Panels do not overlap, and have titles and numbers of their own."""
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert (len(cells), len(panels)) == (len(set(cells)), len({panel["title"] for panel in panels}))
