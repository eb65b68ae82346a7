"""``docs/status.md``: what ``hikae status`` shows on both nodes in each state, made by real agents that were brought into it.

Times, sizes and places are masked before the page is laid out, so that it is the same each time. ``HIKAE_WRITE_PAGES=1`` writes
the document anew from what the agents say."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.status.page import status_page
from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.mounts import memory
from fakes.roles import make_primary, reign

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "status.md"
NOW, EARLIER = "2026-11-22T04:15:00+00:00", "2026-11-22T04:10:00+00:00"
_CLOCK = re.compile(r"\b\d\d:\d\d\b(:\d\d)?")
_DAY = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_COMMIT = re.compile(r"(?<![.\d])1\.\d+\b(?!\.)")
_ENTRIES = re.compile(r"\b\d+ of \d+ entries\b")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT")
_RATES = '[dataset.limits]\nfirst_sync = [{ rate = "200kB/s" }]\n'
_SLOW = '[dataset.limits]\nsteady = [{ rate = "100kB/s" }]\n'
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
Json = dict[str, Any]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


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
    if _STAMP.match(value):
        return EARLIER
    for place, instead in places.items():
        value = value.replace(place, instead)
    return _COMMIT.sub("1.4", _ENTRIES.sub("200 of 300 entries", _DAY.sub("2026-11-22", _CLOCK.sub("04:10", value))))


def mask_peers(shown: Json, said: Json) -> None:
    """What a connected peer has received and applied is now, or is not, as it was said."""
    clock = datetime.fromisoformat(said["clock"])
    for dataset, of_dataset in zip(shown["datasets"], said["datasets"], strict=True):
        if dataset["state"] == "first-sync":
            dataset.update(commit=None, applied=None)
        for peer, of_peer in zip(dataset["peers"], of_dataset["peers"], strict=True):
            for key in ("received", "applied"):
                moment = of_peer[key]
                recent = moment is not None and clock - datetime.fromisoformat(moment) <= timedelta(seconds=3)
                if recent and peer["connected"] and peer["mode"] == "streaming":
                    peer[key] = shown["clock"]


def page_of(agent: Agent, both: Pair, status: Json) -> str:
    """The page at 80 columns, without the node's disks and certificate, which are those of this machine."""
    places = {
        str(both.source): "/srv/web",
        str(both.target): "/srv/web",
        str(agent.state): "/var/lib/hikae",
        str(both.base): "/etc/hikae",
        **{str(one.port): "7440" for one in both.agents},
    }
    shown = masked(status, places)
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


def must_be(state: str, both: Pair, alphas: Callable[[Json], bool], betas: Callable[[Json], bool]) -> None:
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
        eventually(look, 90)
        write(state, pages)
    expected = documented(state)
    try:
        eventually(lambda: look() and pages == expected, 90)
    except AssertionError:
        assert pages == expected  # so that pytest shows where they differ
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


def test_streaming() -> None:
    """All is well."""
    with filled() as both:
        must_be("streaming", both, is_state("streaming"), is_state("streaming"))


def test_held() -> None:
    """A mass deletion is held by the secondary."""
    with filled(files=300) as both:
        for number in range(200):
            (both.source / f"f{number}").unlink()
        must_be("held", both, is_state("held"), is_state("held"))


def test_disconnected_from_the_secondary() -> None:
    """The secondary's agent is gone."""
    with filled() as both:
        both.beta.kill()
        must_be("disconnected", both, is_state("disconnected", "nothing listens"), anything)


def test_disconnected_from_the_primary() -> None:
    """The primary's agent is gone."""
    with filled() as both:
        both.alpha.kill()
        must_be("disconnected, the other way", both, anything, is_state("disconnected"))


def test_paused_sending() -> None:
    """Somebody asked the primary to send nothing for a while."""
    with filled() as both:
        both.alpha.json("pause", "web", "--send", "--for", "2h")
        must_be("paused: sending", both, is_state("paused"), is_state("paused"))


def test_paused_applying() -> None:
    """Somebody asked the secondary to apply nothing."""
    with filled() as both:
        both.beta.json("pause", "web", "--apply")
        must_be("paused: applying", both, is_state("paused"), is_state("paused"))


def test_first_sync() -> None:
    """Most of it has still to travel."""
    with pair(_RATES) as both:
        for number in range(20):
            (both.source / f"f{number}").write_bytes(os.urandom(1 << 20))
        both.start()

        def under_way(dataset: Json) -> bool:
            sync = dataset["sync"]
            return bool(dataset["state"] == "first-sync" and sync and sync["done_bytes"] and sync["eta_seconds"])

        must_be("first-sync", both, under_way, under_way)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_degraded() -> None:
    """Something in the tree is not replicated."""
    with filled() as both, memory(both.source / "mnt"):
        both.alpha.json("reconcile", "web")
        must_be("degraded", both, is_state("degraded"), is_state("degraded"))


def test_unconfirmed() -> None:
    """A primary that was started while its peer is away."""
    with filled() as both:
        both.beta.kill()
        both.alpha.restart()
        must_be("unconfirmed", both, is_state("unconfirmed", "has not confirmed"), anything)


def test_rewound() -> None:
    """The primary's state was put back to an old copy."""
    with filled() as both:
        both.alpha.kill(signal.SIGTERM)
        shutil.copytree(both.alpha.state, both.base / "old")
        both.alpha.start()
        for number in range(3):
            (both.source / "newer").write_text(str(number))
            both.mirror()
        both.alpha.kill(signal.SIGTERM)
        shutil.rmtree(both.alpha.state)
        (both.base / "old").rename(both.alpha.state)
        both.alpha.start()
        must_be("rewound", both, is_state("rewound"), is_state("disconnected"))


def test_fenced() -> None:
    """The secondary was made the primary while the old one was away, and now it is back."""
    with filled(UNBRAKED) as both:
        both.alpha.kill()
        both.beta.kill()
        make_primary(both.home(both.beta), reign(2, "beta"))
        both.beta.start()
        eventually(lambda: 2 == both.beta.look().get("epoch"))
        both.alpha.start()
        # A fenced node has proven that it knows no later reign, so the new primary serves.
        must_be("fenced", both, is_state("fenced"), is_state("disconnected", "epoch"))


def test_catchup() -> None:
    """The secondary was away, and what it missed is on its way."""
    with filled(_SLOW) as both:
        both.beta.kill()
        (both.source / "missed").write_bytes(os.urandom(3 << 20))
        eventually(lambda: both.alpha.look()["commit"]["entries"] == 21)
        both.beta.start()
        must_be("catchup", both, is_state("catchup"), is_state("streaming"))


@contextmanager
def again_and_again(act: Callable[[], object], pause: float = 0.0) -> Iterator[None]:
    """Something is done over and over beside the block, so that what it leads to is met; ``pause``: seconds between."""
    ends = threading.Event()

    def go_on() -> None:
        while not ends.wait(pause):
            act()

    thread = threading.Thread(target=go_on, name="again-and-again")
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def wide(both: Pair, files: int = 4000) -> None:
    """A tree that it takes a while to go over."""
    for number in range(files):
        path = both.source / f"d{number % 40}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_text("first")


def test_behind() -> None:
    """More is written than the limit lets through."""
    with filled(_SLOW) as both:
        log = both.source / "log"

        def write() -> None:
            log.write_bytes(os.urandom(400_000))

        with again_and_again(write, pause=0.2):
            must_be("behind", both, is_state("behind"), is_state("behind"))


def test_reconciling() -> None:
    """The primary looks at everything."""
    with pair() as both:
        wide(both)
        both.begin()
        with again_and_again(lambda: both.alpha.run("reconcile", "web")):
            must_be("reconciling", both, is_state("reconciling"), is_state("streaming"))


def test_inconsistent() -> None:
    """The primary was started anew and looks at everything; much was written meanwhile, and not all of it is found yet."""
    with pair(UNBRAKED) as both:

        def write() -> None:
            for number in range(48):
                (both.source / f"f{number}").write_bytes(os.urandom(4 << 20))

        def restart() -> None:
            both.alpha.kill()
            write()
            both.alpha.start()
            both.alpha.wait()

        write()
        both.begin()
        with again_and_again(restart):
            must_be("inconsistent", both, is_state("inconsistent"), is_state("inconsistent"))


def test_redo() -> None:
    """The secondary lost what it knew of its files: all of them are compared."""
    with pair() as both:
        wide(both)
        both.begin()

        def restart() -> None:
            both.beta.kill()
            (both.home(both.beta) / "local.db").unlink()
            both.beta.start()
            both.beta.up()
            eventually(lambda: both.beta.look().get("state") == "streaming", 60)

        with again_and_again(restart):
            must_be("redo", both, is_state("redo"), is_state("redo"))


def test_seeding() -> None:
    """A standby that adopted a tree copies what stands in it into its vault."""
    with pair("adopt = true\n") as both:
        both.target.mkdir()
        for number in range(60):
            content = os.urandom(4 << 20)
            (both.source / f"f{number}").write_bytes(content)
            (both.target / f"f{number}").write_bytes(content)
        both.start()
        must_be("seeding", both, is_state("seeding"), is_state("seeding"))
