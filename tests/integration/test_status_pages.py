"""``docs/status.md``: what ``hikae status`` shows on both nodes in each state, made by real agents that were brought into it.

See ``fakes.status_pages``. ``HIKAE_WRITE_PAGES=1`` writes the document anew from what the agents say."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.mounts import memory
from fakes.status_pages import Json, anything, filled, is_state, must_be, published

_RATES = '[dataset.limits]\nfirst_sync = [{ rate = "200kB/s" }]\n'
_SLOW = '[dataset.limits]\nsteady = [{ rate = "100kB/s" }]\n'


pytestmark = pytest.mark.usefixtures("utc")


def test_streaming() -> None:
    """All is well."""
    with filled() as both:
        must_be("streaming", both, is_state("streaming"), is_state("streaming"))


def test_held() -> None:
    """A mass deletion is held by the secondary."""
    with filled(files=300) as both:
        # All are gone before it looks, so that one commit has them all.
        both.alpha.stand_still()
        for number in range(200):
            (both.source / f"f{number}").unlink()
        both.alpha.go_on()
        must_be("held", both, _held_after_a_generation, _held_after_a_generation)


def _held_after_a_generation(dataset: Json) -> bool:
    return is_state("held")(dataset) and dataset["hold"]["generation"] is not None


def test_vault_full() -> None:
    """What came last does not fit into the secondary's vault."""
    with filled('vault_limit = "2MB"\n') as both:
        (both.source / "film").write_bytes(os.urandom(8 << 20))
        full = "nothing more is received"
        must_be("vault-full", both, is_state("disconnected", full), is_state("vault-full", full))


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


def test_catchup() -> None:
    """The secondary was away, and what it missed is on its way."""
    with filled(_SLOW) as both:
        both.beta.kill()
        (both.source / "missed").write_bytes(os.urandom(3 << 20))
        eventually(lambda: both.alpha.look()["commit"]["entries"] == 21)
        both.beta.start()
        must_be("catchup", both, is_state("catchup"), is_state("catchup"))


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")
def test_rehearsing() -> None:
    """A probe runs on the secondary."""
    with filled('[dataset.hooks]\nprobe = ["sleep", "600"]\n') as both:
        eventually(lambda: all(gate["ok"] for gate in both.beta.json("rehearse", "web", "--dry-run")["gates"]))
        with ThreadPoolExecutor(1) as typing:
            typing.submit(both.beta.run, "rehearse", "web")
            try:
                must_be("rehearsing", both, is_state("rehearsing"), is_state("rehearsing"))
            finally:
                both.beta.kill()


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
        both.beta.program = (sys.executable, "-m", "tests.fakes.slowly_seeding_agent")
        both.start()

        def is_caught() -> bool:
            """It lasts for some seconds: beta stands still in the middle of it, once it has told alpha."""
            both.beta.stand_still()
            try:
                eventually(lambda: is_seeding(both.beta) and is_seeding(both.alpha, there=True), 2)
            except AssertionError:
                both.beta.go_on()
                return False
            return True

        eventually(lambda: is_seeding(both.beta, copied=True) and is_caught(), 90)
        try:
            # A node that stands still for longer is taken for gone.
            must_be("seeding", both, is_state("seeding"), is_state("seeding"), within=20)
        finally:
            both.beta.go_on()


def is_seeding(agent: Agent, *, copied: bool = False, there: bool = False) -> bool:
    """Whether it published that it is, and that something is ``copied``, here or ``there``."""
    status = published(agent)
    found = [one for one in status["datasets"] if is_state("seeding")(one)] if status is not None else []
    syncs = [one["peers"][0]["sync"] if there else one["sync"] for one in found]
    return any(not (copied or there) or (sync or {}).get("done_bytes") for sync in syncs)
