"""`adopt = true`: a standby's tree that was there already is taken over, and only what differs travels."""

from __future__ import annotations

from fakes.adopted import ADOPT, fill, forget_index, identities, seeded
from fakes.agents import pair
from fakes.eventually import eventually
from fakes.proxy import proxy

FILES, DIFFERING = 3_000, 20


def test_only_what_differs_travels_and_nothing_equal_is_rewritten() -> None:
    """Thousands of files of which a few differ: the bytes on the wire stay in bounds, equal files keep their inode; the vault is
    seeded from the tree, and whole without its index too."""
    with pair(ADOPT) as both, proxy(both.beta.port) as wire:
        both.reach_beta_through(wire.port)
        filled = fill(both, FILES, DIFFERING)
        before = identities(both.target)
        both.begin()
        carried = wire.carried
        assert carried <= filled.allowed, f"{carried:,} of {filled.allowed:,} allowed"
        after = identities(both.target)
        assert DIFFERING >= sum(before[path] != after[path] for path in before)
        assert eventually(lambda: seeded(both))
        eventually(lambda: "streaming" == both.beta.look()["state"])
        assert both.beta.json("verify", "web", "--deep")["equal"]
        both.stop()
        forget_index(both)
        both.start()
        both.beta.up()
        assert both.beta.json("verify", "web", "--deep")["equal"]
        both.mirror()
        both.beta.cleared("vault-damaged")
        print(f"carried {carried:,} of {filled.allowed:,} allowed")
