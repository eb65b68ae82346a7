"""A large file that changes here and there, between two real agents: what travels and what is kept is about what changed."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from agent.core.errors import Exit
from fakes.agents import Pair, pair
from fakes.changing import written_to
from fakes.eventually import eventually
from fakes.proxy import Proxy

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
PAGE = 4096
MIB = 1 << 20
SIZE = 64 * MIB
CHANGES = 100 if WHOLE else 12


class File:
    """The file on the primary."""

    def __init__(self, both: Pair, size: int = SIZE) -> None:
        self.path = both.source / "database"
        self.random = random.Random(3)
        with self.path.open("wb") as file:
            for _ in range(size // MIB):
                file.write(self.random.randbytes(MIB))

    def scatter(self, share: float = 0.01) -> int:
        """Overwrite this share of its pages, here and there; bytes written."""
        pages = self.path.stat().st_size // PAGE
        chosen = self.random.sample(range(pages), int(pages * share))
        fd = os.open(self.path, os.O_WRONLY)
        try:
            for page in chosen:
                os.pwrite(fd, self.random.randbytes(PAGE), page * PAGE)
        finally:
            os.close(fd)
        return len(chosen) * PAGE


def vault_bytes(both: Pair) -> int:
    """All that the vault takes."""
    others = (both.home(both.beta) / "vault").rglob("*.db*")
    return pack_bytes(both) + sum(path.stat().st_size for path in others)


def is_clean(both: Pair) -> None:
    """Every chunk of the vault and every byte of the standby is what it should be."""
    report = both.beta.json("verify", "web", "--deep")
    assert (True, []) == (report["equal"], report["differences"])


@pytest.mark.timeout(1800 if WHOLE else 300)
def test_scattered_changes_cost_what_changed() -> None:
    """1 % in scattered pages, again and again: on the wire at most 1.5 times what changed, from the first change on; in the
    vault 1.6 times over all; and the index can be made anew from the packs."""
    with ExitStack() as stack:
        both = stack.enter_context(pair())
        proxy = Proxy(both.beta.port)
        stack.callback(proxy.stop)
        proxy.start()
        both.reach_beta_through(proxy.port)
        file = File(both)
        both.begin()
        began, changed, wires = vault_bytes(both), 0, []
        for _ in range(CHANGES):
            before = proxy.carried
            written = file.scatter()
            both.alpha.wait()
            wires.append((proxy.carried - before) / written)
            changed += written
        assert max(wires) <= 1.5, wires
        assert (vault_bytes(both) - began) / changed <= 1.6
        both.mirror()
        is_clean(both)
        both.beta.kill(signal.SIGTERM)
        (both.home(both.beta) / "vault" / "index.db").unlink()
        both.beta.start()
        both.mirror()
        is_clean(both)


@pytest.mark.timeout(1800 if WHOLE else 300)
@pytest.mark.parametrize("who", ["alpha", "beta", "both"])
def test_kills_among_changes(who: str) -> None:
    """kill -9 of either side while patches travel: both are equal afterwards, nothing in the vault is amiss, and it goes on in
    pages."""
    with pair() as both:
        file = File(both, 24 * MIB)
        both.begin()
        victims: dict[str, Callable[[], None]] = {
            "alpha": both.alpha.kill,
            "beta": both.beta.kill,
            "both": both.kill,
        }
        for _ in range(20 if WHOLE else 3):
            for _ in range(3):
                file.scatter(0.02)
            both.alpha.wait("durable") if file.random.random() < 0.3 else None
            file.scatter(0.02)
            victims[who]()
            file.scatter(0.02)
            for agent in both.agents:
                if agent.process is None:
                    agent.start()
            both.mirror()
        grown, written = vault_bytes(both), 0
        # Over several changes: each is paid for by those before it, where chains of patches came to their most (patch_chains).
        for _ in range(CHANGES):
            written += file.scatter(0.02)
            both.alpha.wait()
        both.mirror()
        is_clean(both)
        assert vault_bytes(both) - grown <= 1.6 * written


def test_a_log_that_grows_travels_by_what_was_appended() -> None:
    """And a damaged chunk below is given up with all that was made of it, and comes whole."""
    with pair() as both:
        file = File(both, 2 * MIB)
        both.begin()
        grown = vault_bytes(both)
        for _ in range(10):
            with file.path.open("ab") as log:
                log.write(file.random.randbytes(3000))
            both.alpha.wait()
        assert vault_bytes(both) - grown < 10 * (16 << 10)
        both.beta.kill(signal.SIGTERM)
        damage(both)
        both.beta.start()
        both.beta.up()
        assert Exit.FAILED == both.beta.run("verify", "web", "--deep").returncode
        # What is asked for again may be there before it was seen to lack: then the verify alone tells of it.
        eventually(lambda: {"vault-damaged", "verify-differences"} & {one["code"] for one in both.beta.json("events")})
        # What could not be had at first is asked for again after 30 s.
        both.beta.cleared("vault-damaged", within=90.0)
        both.mirror()
        is_clean(both)


@pytest.mark.parametrize("size", [2_000, 200 << 10, 3 * MIB])
def test_a_line_costs_a_line(size: int) -> None:
    """Appended to a log of any size and durable before the next: what the vault's packs grow by is about what was written."""
    with pair() as both:
        log, chance, lines = both.source / "log", random.Random(size), 40
        log.write_bytes(chance.randbytes(size))
        both.begin()
        began = pack_bytes(both)
        for _ in range(lines):
            with log.open("ab") as file:
                file.write(chance.randbytes(100))
            both.alpha.wait("durable")
        both.mirror()
        assert pack_bytes(both) - began <= lines * (150 + 400) + (16 << 10)
        is_clean(both)


def test_a_row_of_a_small_database_costs_its_pages() -> None:
    """A page of a file of a few hundred kilobytes, again and again: after the first change its pages travel, and no chunks."""
    with pair() as both:
        database, chance, changes = both.source / "small.db", random.Random(5), 20
        database.write_bytes(chance.randbytes(300 << 10))
        both.begin()
        for round in range(2):
            began = pack_bytes(both)
            for _ in range(changes):
                with database.open("r+b") as file:
                    file.seek(PAGE * chance.randrange(75))
                    file.write(chance.randbytes(PAGE))
                both.alpha.wait("durable")
            assert round == 0 or pack_bytes(both) - began <= changes * (1.5 * PAGE + 400)
        both.mirror()
        is_clean(both)


def pack_bytes(both: Pair) -> int:
    """What history takes."""
    return sum(written_to(path) for path in (both.home(both.beta) / "vault").rglob("*.pack"))


def damage(both: Pair) -> None:
    """Spoil the middle of every MiB of the first pack."""
    pack = both.home(both.beta) / "vault" / "packs" / "00000000.pack"
    with pack.open("r+b") as file:
        for at in range(MIB // 2, pack.stat().st_size, MIB):
            file.seek(at)
            file.write(b"spoiled")
