"""A large tree that was copied beforehand is adopted; `make test` does a smaller one (tests/integration/test_adopting.py)."""

from __future__ import annotations

import os
import time

import pytest

from fakes.adopted import ADOPT, fill, forget_index, identities, seeded
from fakes.agents import pair
from fakes.eventually import eventually
from fakes.proxy import proxy
from fakes.trees import differences

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
FILES, DIFFERING = 50_000, 100


@pytest.mark.skipif(not SEEDS, reason="make soak adopts 50,000 files")
def test_fifty_thousand_files_of_which_a_hundred_differ() -> None:
    """At most 3 times the differing bytes, 80 bytes an entry and 2 MiB travel, TLS and both ways counted; equal files keep their
    inode; seeded, and its index lost, the vault is whole."""
    with pair(ADOPT) as both, proxy(both.beta.port) as wire:
        both.reach_beta_through(wire.port)
        filled = fill(both, FILES, DIFFERING)
        before = identities(both.target)
        begun = time.monotonic()
        both.start()
        both.mirror(300)
        took, carried = time.monotonic() - begun, wire.carried
        print(f"{filled.entries:,} entries, {filled.differing} differ in {filled.bytes:,} bytes")
        print(f"{carried:,} bytes travelled of {filled.allowed:,} allowed; equal after {took:.1f} s")
        assert carried <= filled.allowed
        after = identities(both.target)
        assert DIFFERING >= sum(before[path] != after[path] for path in before)
        eventually(lambda: seeded(both), 300)
        print(f"seeded after {time.monotonic() - begun:.1f} s")
        assert both.beta.json("verify", "web", "--deep", timeout=300)["equal"]
        both.stop()
        forget_index(both)
        both.start()
        both.mirror(300)
        assert both.beta.json("verify", "web", "--deep", timeout=300)["equal"]
        both.beta.cleared("vault-damaged")
        assert [] == differences(str(both.source), str(both.target))
