"""The alert rules, by Prometheus's own unit tests: each fires for what it names, and not before."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.web.series import DATASET, NODE, PEER
from fakes.agents import REPOSITORY

MONITORING = REPOSITORY / "docs" / "monitoring"
RULES = MONITORING / "alerts.yml"
_OF = '{dataset="web",instance="a"}'
_ROLE = 'hikae_dataset_role{dataset="web",instance="a",role="%s"} 1'
#: Long before and long after the evaluation, in seconds: Prometheus's tests begin at 0.
_LATER = 10**9

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (package prometheus)"
)


@dataclass(frozen=True, slots=True)
class Case:
    """``fires`` and ``quiet``: series with their constant values; ``after``: minutes after which the alert is asked for."""

    alert: str
    fires: tuple[str, ...]
    quiet: tuple[str, ...]
    after: int


def _one(alert: str, series: str, fires: float, quiet: float, after: int) -> Case:
    return Case(alert, (f"{series} {fires}",), (f"{series} {quiet}",), after)


CASES = (
    _one("HikaeStateStale", 'hikae_state_fresh{instance="a"}', 0, 1, 1),
    _one("HikaeHealthGone", 'up{job="hikae",instance="a"}', 0, 1, 2),
    Case(
        "HikaeFenced",
        ('hikae_dataset_state{dataset="web",instance="a",state="rewound"} 1',),
        (
            'hikae_dataset_state{dataset="web",instance="a",state="rewound"} 0',
            'hikae_dataset_state{dataset="web",instance="a",state="streaming"} 1',
        ),
        0,
    ),
    _one("HikaeUnconfirmed", 'hikae_dataset_state{dataset="web",instance="a",state="unconfirmed"}', 1, 0, 2),
    Case(
        "HikaeTwoPrimaries",
        ('hikae_dataset_serving{dataset="web",instance="a"} 1', 'hikae_dataset_serving{dataset="web",instance="b"} 1'),
        ('hikae_dataset_serving{dataset="web",instance="a"} 1', 'hikae_dataset_serving{dataset="web",instance="b"} 0'),
        1,
    ),
    Case(
        "HikaeNoPrimary",
        ('hikae_dataset_serving{dataset="web",instance="a"} 0', 'hikae_dataset_serving{dataset="web",instance="b"} 0'),
        ('hikae_dataset_serving{dataset="web",instance="a"} 0', 'hikae_dataset_serving{dataset="web",instance="b"} 1'),
        2,
    ),
    _one("HikaeHeld", f"hikae_dataset_held{_OF}", 1, 0, 0),
    Case(
        "HikaeNotDurable",
        (_ROLE % "primary", f"hikae_dataset_last_durable_timestamp_seconds{_OF} 1"),
        (_ROLE % "standby", f"hikae_dataset_last_durable_timestamp_seconds{_OF} 1"),
        8,
    ),
    _one("HikaeLagging", f"hikae_dataset_lag_seconds{_OF}", 31, 30, 5),
    _one("HikaePeerAway", 'hikae_peer_connected{dataset="web",instance="a",peer="b"}', 0, 1, 5),
    Case(
        "HikaeNotPromotable",
        (_ROLE % "standby", f"hikae_dataset_promotable{_OF} 0"),
        (_ROLE % "primary", f"hikae_dataset_promotable{_OF} 0"),
        15,
    ),
    Case(
        "HikaeNotVerified",
        (_ROLE % "standby", f"hikae_dataset_last_verified_timestamp_seconds{_OF} 1"),
        (_ROLE % "standby", f"hikae_dataset_last_verified_timestamp_seconds{_OF} 0"),
        10 * 1440,
    ),
    _one("HikaeNoGeneration", f"hikae_dataset_last_generation_timestamp_seconds{_OF}", 1, 0, 27 * 60),
    _one("HikaeVaultFull", f"hikae_dataset_vault_full_timestamp_seconds{_OF}", 86400, 0, 61),
    _one("HikaeDiskFull", 'hikae_disk_full_timestamp_seconds{disk="0",instance="a"}', 3600, _LATER, 16),
    _one("HikaeCertificateEnds", 'hikae_certificate_expiry_timestamp_seconds{instance="a"}', 86400, _LATER, 61),
    _one("HikaeRevocationListOld", 'hikae_crl_expiry_timestamp_seconds{instance="a"}', 86400, 0, 61),
    Case(
        "HikaeProblem",
        ('hikae_node_problems{code="certificate",instance="a",severity="error"} 1',),
        ('hikae_node_problems{code="certificate",instance="a",severity="warning"} 1',),
        5,
    ),
)


def _block(case: Case, series: tuple[str, ...], minutes: int, firing: bool, step: int) -> str:
    lines = [f"  - interval: {step}m", "    input_series:"]
    for one in series:
        name, _, value = one.rpartition(" ")
        lines += [f"      - series: '{name}'", f"        values: '{value}x{minutes // step + 5}'"]
    # How many fire is asked for as a series: names and labels of the rules themselves are not repeated here.
    count = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    lines += ["    promql_expr_test:", f"      - expr: 'count({count}) or vector(0)'", f"        eval_time: {minutes}m"]
    return "\n".join([*lines, "        exp_samples:", "          - labels: '{}'", f"            value: {int(firing)}"])


@needs_promtool
@pytest.mark.parametrize("step", [1, 30])
def test_each_alert_fires_for_what_it_names_and_for_nothing_else(tmp_path: Path, step: int) -> None:
    """promtool's verdict over two cases of each alert, those of days in larger steps (minutes)."""
    blocks = [
        _block(case, series, case.after + step, firing, step)
        for case in CASES
        if (case.after > 1000) == (step > 1)
        for series, firing in ((case.fires, True), (case.quiet, False))
    ]
    file = tmp_path / "alerts_test.yml"
    file.write_text(f"rule_files: [{RULES}]\nevaluation_interval: {step}m\ntests:\n" + "\n".join(blocks) + "\n")
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


@needs_promtool
def test_the_rules_are_rules() -> None:
    """promtool finds all of them, and nothing to say."""
    done = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert (0, f"SUCCESS: {len(CASES)} rules found") == (done.returncode, done.stdout.splitlines()[1].strip())


def test_every_alert_has_a_case_and_a_way_out() -> None:
    """What fires says what to type."""
    text = RULES.read_text()
    alerts = re.findall(r"- alert: (\w+)", text)
    assert (alerts, len(alerts)) == ([case.alert for case in CASES], text.count("remedy: "))


def test_rules_and_dashboard_name_only_series_that_there_are() -> None:
    """A slip in a name would never fire, and show nothing."""
    known = {gauge.name for gauge in (*NODE, *DATASET, *PEER)} | {"hikae_state_fresh", "hikae_state_age_seconds"}
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    shown = "\n".join(target["expr"] for panel in panels for target in panel["targets"])
    assert set() == set(re.findall(r"\bhikae_\w+", RULES.read_text() + shown)) - known
