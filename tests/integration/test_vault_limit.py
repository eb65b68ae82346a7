"""The vault's limit between two real agents."""

from __future__ import annotations

import os

from fakes.agents import UNBRAKED, pair
from fakes.eventually import eventually

LIMIT = 'vault_limit = "2MB"\n'


def test_a_vault_at_its_limit_says_so_on_both_nodes_and_goes_on_with_more() -> None:
    """Nothing is half committed, writers are not hurt; the key is taken by a reload."""
    with pair(LIMIT + UNBRAKED) as both:
        (both.source / "first").write_text("fits")
        both.begin()
        for number in range(40):
            (both.source / f"f{number}").write_bytes(os.urandom(256 << 10))
        both.beta.told("vault-full", "nothing more is received", "its limit is 1.9 MiB")
        both.alpha.told("disk-reserve", "beta", "its limit is 1.9 MiB")
        eventually(lambda: both.beta.look()["state"] == "vault-full")
        vault = both.beta.look()["vault"]
        assert (2_000_000, True) == (vault["limit"], vault["bytes"] < 12_000_000)
        (both.source / "meanwhile").write_text("writers are not hurt")
        both.beta.config.write_text(both.beta.config.read_text().replace(LIMIT, 'vault_limit = "200MB"\n'))
        assert ["dataset[web].vault_limit"] == both.beta.json("reload")["taken"]
        both.mirror()
        both.beta.cleared("vault-full")
        both.alpha.cleared("disk-reserve", "busy", "disconnected")
