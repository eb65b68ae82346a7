"""Pages of ``docs/status.md``: made by real agents that were brought into a state, masked, and compared with what stands there.

Times, sizes and places are masked before the page is laid out, so that it is the same each time. ``HIKAE_WRITE_PAGES=1`` writes
the document anew from what the agents say."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agent.status.page import status_page
from fakes.agents import Agent, Pair, pair
from fakes.device_agents import DevicePair
from fakes.eventually import eventually

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "status.md"
NOW, EARLIER = "2026-11-22T04:15:00+00:00", "2026-11-22T04:10:00+00:00"
_GENERATION = "20261122T041000Z"
_CLOCK = re.compile(r"\b\d\d:\d\d\b(:\d\d)?")
_DAY = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_COMMIT = re.compile(r"(?<![.\d])1\.\d+\b(?!\.)")
_ENTRIES = re.compile(r"\b\d+ of \d+ entries\b")
_VAULT_TAKES = re.compile(r"the vault takes [\d.]+ MiB, and its limit is [\d.]+ MiB")
#: How fast this machine is just now.
_BUSY = re.compile(r"still for [\d,]+ ms at a commit, and its rounds take [\d.]+ s; it is committed every [\d.]+ s")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT")
#: What differs from run to run, and what stands for it: figures of these keys, where they are not nothing.
_FIGURES = {
    "done_bytes": 3 << 20,
    "total_bytes": 20 << 20,
    "total_entries": 20,
    "eta_seconds": 65.0,
    "behind_bytes": 5 << 20,
    "rate": 100_000,
    "change_rate": 40_000,
    "forecast_seconds": 65.0,
    "lag_seconds": 0.0,
    "done_entries": 7,
}
#: Of a device that holds anything.
_DEVICE = {"bytes": 20 << 20, "entries": 320}
Json = dict[str, Any]


def masked(value: Any, places: dict[str, str], key: str = "") -> Any:
    """A part of the published value, with what differs from run to run made the same: moments are five minutes ago."""
    if isinstance(value, dict):
        return {name: masked(one, places, name) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one, places, key) for one in value]
    if key in _FIGURES and value:
        return _FIGURES[key]
    if not isinstance(value, str):
        return value
    if key == "generation":
        return _GENERATION
    if _STAMP.match(value):
        return EARLIER
    for place, instead in places.items():
        value = value.replace(place, instead)
    value = _BUSY.sub("still for 115 ms at a commit, and its rounds take 0.2 s; it is committed every 2.3 s", value)
    value = _VAULT_TAKES.sub("the vault takes 2.4 MiB, and its limit is 2.0 MiB", value)
    return _COMMIT.sub("1.4", _ENTRIES.sub("200 of 300 entries", _DAY.sub("2026-11-22", _CLOCK.sub("04:10", value))))


def mask_peers(shown: Json, said: Json) -> None:
    """What a connected peer has received and applied is now, or is not, as it was said."""
    clock = datetime.fromisoformat(said["clock"])
    for dataset, of_dataset in zip(shown["datasets"], said["datasets"], strict=True):
        if dataset["state"] == "first-sync":
            dataset.update(commit=None, applied=None)
            # Whether the first of its commits is there yet.
            for sync in (dataset["sync"], *(peer["first_sync"] for peer in dataset["peers"])):
                if sync is not None:
                    sync["done_entries"] = 0
        for peer, of_peer in zip(dataset["peers"], of_dataset["peers"], strict=True):
            for key in ("received", "applied"):
                moment = of_peer[key]
                recent = moment is not None and clock - datetime.fromisoformat(moment) <= timedelta(seconds=3)
                if recent and peer["connected"] and peer["mode"] == "streaming":
                    peer[key] = shown["clock"]


def page_of(agent: Agent, both: Pair | DevicePair, status: Json) -> str:
    """The page at 80 columns, without the node's disks and certificate, which are those of this machine."""
    places = {
        str(both.source): "/srv/web" if isinstance(both, Pair) else "/dev/sdb",
        str(both.target): "/srv/web" if isinstance(both, Pair) else "/srv/disk.img",
        str(agent.state): "/var/lib/hikae",
        **{str(both.base / f"at-{one.name}"): "/mnt/data" for one in (both.source, both.target)},
        str(both.base): "/etc/hikae",
        **{str(one.port): "7440" for one in both.agents},
    }
    shown = masked(status, places)
    if isinstance(both, DevicePair):
        # Which blocks a filesystem takes is its own business.
        for stands in filter(None, (shown["datasets"][0][key] for key in ("commit", "applied"))):
            stands.update(_DEVICE)
    shown.update(clock=NOW, disks=[], certificate={"until": None}, crl={"until": None})
    mask_peers(shown, status)
    return status_page(shown, 80).plain


def documented(state: str) -> dict[str, str]:
    """The pages of a state as they stand in the document, by node."""
    text = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    section = re.search(rf"^## {re.escape(state)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    found = re.findall(r"^On (\w+):\n\n```text\n(.*?)\n```$", section[1] if section else "", re.DOTALL | re.MULTILINE)
    return dict(found)


def write(state: str, pages: dict[str, str]) -> None:
    """Put the pages into the document, in place of what stands there."""
    text = DOCUMENT.read_text()
    blocks = "\n\n".join(f"On {node}:\n\n```text\n{page}\n```" for node, page in pages.items())
    found = re.search(rf"(^## {re.escape(state)}\n\n.*?\n)(?:\nOn .*?)?(?=\n## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"docs/status.md has no section {state!r}"
    words = found[1].split("\nOn ")[0].rstrip("\n")
    DOCUMENT.write_text(f"{text[: found.start()]}{words}\n\n{blocks}\n{text[found.end() :]}")


def must_be(
    state: str,
    both: Pair | DevicePair,
    alphas: Callable[[Json], bool],
    betas: Callable[[Json], bool],
    within: float = 90,
) -> None:
    """Both nodes come to say what stands in the document; a node that does not run says nothing."""
    tests = {both.alpha: alphas, both.beta: betas}
    pages: dict[str, str] = {}

    def look() -> bool:
        pages.clear()
        for agent, test in tests.items():
            if agent.process is None:
                continue
            status = published(agent)
            if status is None or not status["datasets"] or not test(status["datasets"][0]):
                return False
            pages[agent.name] = page_of(agent, both, status)
        return True

    if os.environ.get("HIKAE_WRITE_PAGES"):
        eventually(look, within)
        write(state, pages)
    expected = documented(state)
    try:
        eventually(lambda: look() and pages == expected, within)
    except AssertionError:
        assert pages == expected, f"{pages} is not {expected}"
        raise


def published(agent: Agent) -> Json | None:
    """What an agent published last: also of states that last for moments."""
    try:
        value: Json = json.loads((Path(agent.socket).parent / "state-full.json").read_text())
    except (OSError, ValueError):
        return None
    return value


def is_state(word: str, says: str = "") -> Callable[[Json], bool]:
    """The dataset is in that state, and one of its problems has these words; without words it has no error that is no hold's."""

    def test(dataset: Json) -> bool:
        errors = [
            one for one in dataset["problems"] if one["severity"] == "error" and one["code"] != _hold_code(dataset)
        ]
        told = any(says in one["message"] for one in errors) if says else not errors
        return bool(dataset["state"] == word and told)

    return test


def _hold_code(dataset: Json) -> str:
    return str((dataset["hold"] or {"code": ""})["code"])


def anything(_dataset: Json) -> bool:
    """What it says is looked at in the document alone."""
    return True


@contextmanager
def filled(extra: str = "", files: int = 20) -> Iterator[Pair]:
    """A pair whose trees are equal, and whose last words have been said."""
    with pair(extra) as both:
        for number in range(files):
            (both.source / f"f{number}").write_text(f"first {number}")
        both.begin()
        yield both
