"""Configuration files as an operator writes them, right and wrong."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from agent.config import Settings, default_path, load, show
from agent.config.schema import EXAMPLES, DatasetEntry, TlsEntry, known_keys
from agent.config.values import (
    Brake,
    ConsoleSettings,
    DeviceTerms,
    Generations,
    HealthSettings,
    Hook,
    Hooks,
    Keep,
    Limit,
    Limits,
    NodeSettings,
    Peer,
    ProbeHook,
    Promote,
    Rehearse,
)
from agent.core.errors import ConfigError
from fakes.config_files import BASE, WEB, write

FULL = """
[node]
name = "alpha"
state_dir = "/var/lib/hikae"
listen = "0.0.0.0:7440"
admin_socket = "/run/hikae/admin.sock"
[tls]
ca = "/etc/hikae/pki/ca.crt"
cert = "/etc/hikae/pki/alpha.crt"
key = "/etc/hikae/pki/alpha.key"
[health]
listen = "0.0.0.0:7441"
agent_check = "0.0.0.0:7443"
[console]
listen = "127.0.0.1:7442"
token_file = "/etc/hikae/console.token"
[[peer]]
name = "alpha"
address = "alpha.example:7440"
[[peer]]
name = "beta"
address = "[2001:db8::2]:7440"

[[dataset]]
name = "web"
kind = "tree"
path = { alpha = "/srv/web", beta = "/mnt/web/" }
primary = "alpha"
standby = ["beta"]
group = "shop"
exclude = ["**/*.tmp"]
reconcile = "0 3 * * *"
quiesce = "none"
adopt = false
start_without_peer = "wait"
history = "24h"
vault = "/backup/web"
vault_limit = "500GB"
[dataset.generations]
schedule = "0 * * * *"
keep = { last = 0, hourly = 24, daily = 30, weekly = 8, monthly = 12, yearly = 0, labels = ["release-*"] }
immutable_for = "7d"
verify = "30 4 * * *"
verify_share = "10%"
verified_within = "60d"
[dataset.brake]
deleted = "30%"
rewritten = "50%"
window = "15m"
min_entries = 100
[dataset.limits]
first_sync = [{ hours = "22:00-05:00", rate = "80MB/s" }]
steady = []
[dataset.hooks]
start = ["systemctl", "start", "shop"]
stop = { run = ["systemctl", "stop", "shop"], timeout = "90s", retries = 1, on_failure = "go-on" }
on_fenced = "none"
before_freeze = []
timeout = "60s"
"""


HOOKS = (
    "start",
    "stop",
    "on_fenced",
    "before_promote",
    "after_promote",
    "before_demote",
    "after_demote",
    "probe",
    "before_freeze",
    "after_thaw",
)


def test_the_contract_loads(tmp_path: Path) -> None:
    """The example of the operator's contract, every key given, becomes these values."""
    settings = load(write(tmp_path, FULL))
    (web,) = settings.datasets
    assert (Peer("beta", "[2001:db8::2]:7440"),) == settings.peers
    assert ("/srv/web", {"alpha": "/srv/web", "beta": "/mnt/web"}) == (web.path, dict(web.paths))
    assert (86_400, 500 * 10**9, "0 3 * * *") == (web.history, web.vault_limit, web.reconcile)
    kept = Keep(0, 24, 30, 8, 12, 0, ("release-*",))
    assert Generations("0 * * * *", kept, 7 * 86_400, "30 4 * * *", 0.1, 60 * 86_400) == web.generations
    assert Brake(0.3, 0.5, 900, 100) == web.brake
    assert Limits(first_sync=(Limit((1320, 300), 80_000_000),)) == web.limits
    stop = Hook(("systemctl", "stop", "shop"), 90, 1, "go-on")
    assert Hooks(Hook(("systemctl", "start", "shop")), stop, Hook(()), timeout=60) == web.hooks


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('["shop-probe"]', ProbeHook(("shop-probe",))),
        ('{ units = ["shop.service", "redis@a.service"] }', ProbeHook(units=("shop.service", "redis@a.service"))),
        (
            '{ units = ["shop.service"], run = ["shop-probe"], timeout = "5s" }',
            ProbeHook(("shop-probe",), 5, units=("shop.service",)),
        ),
        ('"none"', ProbeHook()),
    ],
)
def test_a_probe_is_a_program_or_units_or_both(tmp_path: Path, written: str, expected: ProbeHook) -> None:
    """And is shown as it can be written again."""
    settings = load(write(tmp_path, f"{BASE}{WEB}[dataset.hooks]\nprobe = {written}\n"))
    assert expected == settings.datasets[0].hooks.probe
    (tmp_path / "shown").mkdir()
    assert expected == load(write(tmp_path / "shown", show(settings))).datasets[0].hooks.probe


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ('{ units = ["shop"] }', "is no name of a service unit; write it whole, like shop.service"),
        ('{ units = ["shop.socket"] }', "is no name of a service unit"),
        ('{ units = ["../x.service"] }', "is no name of a service unit"),
        ("{ units = [] }", "write the program and each argument for itself"),
        ('{ timeout = "5s" }', "write the program and each argument for itself"),
        ("{ units = 3 }", "units"),
    ],
)
def test_a_probe_that_tries_nothing_is_refused(tmp_path: Path, written: str, why: str) -> None:
    """With what to write."""
    with pytest.raises(ConfigError, match=re.escape(why)):
        load(write(tmp_path, f"{BASE}{WEB}[dataset.hooks]\nprobe = {written}\n"))


def test_what_is_written_empty_is_not_set(tmp_path: Path) -> None:
    """As the contract writes a vault in its usual place, and no limit of it."""
    (web,) = load(write(tmp_path, BASE + WEB + 'vault = ""\nvault_limit = ""\n')).datasets
    assert (None, None) == (web.vault, web.vault_limit)


def test_defaults(tmp_path: Path) -> None:
    """What is left out has the contract's defaults; certificates lie beside the configuration."""
    settings = load(write(tmp_path, BASE + WEB))
    (web,) = settings.datasets
    assert NodeSettings("alpha", "/var/lib/hikae", "0.0.0.0:7440", "/run/hikae/admin.sock") == settings.node
    assert f"{tmp_path}/pki/alpha.crt" == settings.tls.cert
    assert f"{tmp_path}/pki/ca.crl" == settings.tls.crl
    assert ("tree", "auto", False, 86_400, None) == (web.kind, web.watch, web.adopt, web.history, web.vault)
    assert () == settings.warnings


def test_datasets_folder(tmp_path: Path) -> None:
    """Datasets of ``datasets.d`` are read too, in the order of names; hidden and other files are not."""
    path = write(tmp_path, BASE + WEB, mail=WEB.replace("web", "mail"))
    (tmp_path / "datasets.d" / ".half.toml").write_text("[")
    (tmp_path / "datasets.d" / "notes.txt").write_text("[")
    settings = load(path)
    assert ["mail", "web"] == [dataset.name for dataset in settings.datasets]
    assert (path, str(tmp_path / "datasets.d" / "mail.toml")) == settings.source_files


def test_warnings(tmp_path: Path) -> None:
    """Keys without effect, and datasets of other nodes, are named and do no harm."""
    other = WEB.replace("web", "far").replace("alpha", "gamma").replace('["beta"]', '["delta"]')
    settings = load(write(tmp_path, BASE + "[health]\n" + WEB + 'group = "shop"\nquiesce = "btrfs"\n' + other))
    assert [
        "agent.toml: dataset[far]: alpha is neither its primary nor a standby; it is passed over here",
    ] == [warning.replace(f"{tmp_path}/", "") for warning in settings.warnings]
    assert ["web"] == [dataset.name for dataset in settings.datasets]


def test_quiesce_without_its_hook(tmp_path: Path) -> None:
    """A quiesce that brings nothing to rest is named."""
    (warning,) = load(write(tmp_path, BASE + WEB + 'quiesce = "hook"\n')).warnings
    assert warning.endswith(
        'dataset[web].quiesce: "hook" takes hooks.before_freeze, which is not set; each file is whole'
    )


def _at(folder: Path, text: str) -> Settings:
    folder.mkdir(exist_ok=True)
    return load(write(folder, text))


def test_digest_is_the_same_on_both_nodes(tmp_path: Path) -> None:
    """What is each node's own does not count, nor how a path is written; what both must share does."""
    beta = BASE.replace("beta", "x").replace("alpha", "beta").replace('"x"', '"alpha"')
    table = WEB.replace('"/srv/web"', '{ alpha = "/srv/web", beta = "/srv/web/" }')
    one, two = _at(tmp_path / "1", BASE + WEB), _at(tmp_path / "2", beta + table + 'history = "48h"\nvault = "/v"\n')
    assert one.digest == two.digest
    assert one.datasets[0].digest == two.datasets[0].digest
    assert one.digest != _at(tmp_path / "3", BASE + WEB + 'exclude = ["*.o"]\n').digest
    assert one.digest != _at(tmp_path / "4", BASE + WEB.replace("/srv/web", "/srv/www")).digest


@pytest.mark.parametrize(
    "text", [FULL, BASE + WEB, BASE + WEB + 'reconcile = "none"\nexclude = ["a\\\\ \\u0007\\"b"]\n']
)
def test_shown_configuration_loads_again(tmp_path: Path, text: str) -> None:
    """What ``show`` prints has every default, and loads to the same settings."""
    first = _at(tmp_path / "1", text)
    again = _at(tmp_path / "2", show(first))
    assert show(first) == show(again)
    assert (first.node, first.tls, first.peers, first.datasets) == (again.node, again.tls, again.peers, again.datasets)


def test_every_key_has_an_example() -> None:
    """The list of examples is the list of keys: nothing is missing, nothing is left over."""
    shapes = {
        "node": NodeSettings,
        "tls": TlsEntry,
        "health": HealthSettings,
        "console": ConsoleSettings,
        "peer": Peer,
        "dataset": DatasetEntry,
        "dataset.generations": Generations,
        "dataset.generations.keep": Keep,
        "dataset.brake": Brake,
        "dataset.limits": Limits,
        "dataset.promote": Promote,
        "dataset.rehearse": Rehearse,
        "dataset.device": DeviceTerms,
        "dataset.limits.first_sync": Limit,
        "dataset.limits.steady": Limit,
        "dataset.hooks": Hooks,
        **{f"dataset.hooks.{name}": Hook for name in HOOKS},
        "dataset.hooks.probe": ProbeHook,
    }
    for place, shape in shapes.items():
        assert sorted(field.name for field in dataclasses.fields(shape)) == sorted(known_keys(place))
    assert sum(len(known_keys(place)) for place in ["", *shapes]) == len(EXAMPLES)


def test_default_path() -> None:
    """The environment names the configuration; an empty name counts as none."""
    assert "/etc/hikae/agent.toml" == default_path({})
    assert "/etc/hikae/agent.toml" == default_path({"HIKAE_CONFIG": ""})
    assert "/x.toml" == default_path({"HIKAE_CONFIG": "/x.toml"})
