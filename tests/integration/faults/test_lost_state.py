"""State that is gone: catalogs, local facts, whole state directories. The standby is known again, not written anew."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from agent.core.ids import NOTHING, epoch_of
from agent.store.catalog.catalog import Catalog
from fakes.agents import Agent, Pair, pair
from fakes.eventually import eventually

CATALOG, LOCAL = ("catalog.db", "catalog.db-wal", "catalog.db-shm"), ("local.db", "local.db-wal", "local.db-shm")


def filled(both: Pair) -> None:
    """A live pair with files of some kinds, some changed while live."""
    for number in range(60):
        path = both.source / f"d{number % 5}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(number * 700))
    os.link(both.source / "d0" / "f0", both.source / "second-name")
    (both.source / "link").symlink_to("d0/f0")
    (both.source / "large").write_bytes(os.urandom(3 << 20))
    both.begin()
    for number in range(5):
        (both.source / f"d{number}" / "live").write_text(f"written live {number}")
        both.alpha.wait()


def forget(both: Pair, agent: Agent, files: tuple[str, ...]) -> None:
    """Stop the agent and delete what it keeps of the dataset."""
    agent.kill()
    assert (both.home(agent) / files[0]).exists()
    for name in files:
        (both.home(agent) / name).unlink(missing_ok=True)


def identities(root: Path) -> dict[str, tuple[int, int, int]]:
    """Inode, mtime and ctime of every regular file: any rewriting, even of metadata, shows."""
    found = {}
    for top, _, names in os.walk(root):
        if Path(top).name == ".hikae":
            continue
        for name in names:
            st = os.lstat(os.path.join(top, name))
            if ".hikae" not in top:
                found[os.path.relpath(os.path.join(top, name), root)] = (st.st_ino, st.st_mtime_ns, st.st_ctime_ns)
    return found


def commits(both: Pair) -> list[tuple[int, bytes]]:
    """Number and digest of every commit that the secondary keeps; it must be stopped."""
    with closing(Catalog.open(str(both.home(both.beta) / "catalog.db"))) as catalog:
        return [(commit.number, commit.digest) for commit in catalog.commits(NOTHING, 1_000)]


def test_the_primarys_catalog_deleted() -> None:
    """A new epoch; no file on the standby is touched; the commits of the old epoch stay; both digests are equal."""
    with pair() as both:
        filled(both)
        both.beta.restart()
        both.stop()
        old = commits(both)
        assert {1} == {epoch_of(number) for number, _ in old}
        for name in CATALOG:
            (both.home(both.alpha) / name).unlink(missing_ok=True)
        before = identities(both.target)
        both.begin()
        assert before == identities(both.target)
        primary, standby = both.alpha.look(), both.beta.look()
        assert (2, 2) == (primary["epoch"], standby["epoch"])
        assert primary["commit"]["digest"] == standby["commit"]["digest"]
        assert both.beta.json("verify", "web", "--deep")["equal"]
        both.stop()
        kept = commits(both)
        assert old == kept[: len(old)]
        assert {2} == {epoch_of(number) for number, _ in kept[len(old) :]}


def test_the_primarys_catalog_deleted_while_files_change() -> None:
    """What changed meanwhile arrives, what did not is left alone."""
    with pair() as both:
        filled(both)
        forget(both, both.alpha, CATALOG)
        before = identities(both.target)
        (both.source / "d1" / "f1").write_text("changed")
        (both.source / "d2" / "f2").unlink()
        (both.source / "d3" / "f3").rename(both.source / "d4" / "moved")
        (both.source / "d0").rename(both.source / "other")
        both.alpha.start()
        both.mirror()
        after = identities(both.target)
        untouched = {name for name in before if name.startswith(("d1/", "d2/", "d3/", "d4/"))} - {
            "d1/f1",
            "d2/f2",
            "d3/f3",
        }
        assert {name: before[name] for name in untouched} == {name: after[name] for name in untouched}


def test_the_primarys_catalog_deleted_twice() -> None:
    """Lost again before and after the first loss was through: epochs only rise."""
    with pair() as both:
        filled(both)
        forget(both, both.alpha, CATALOG)
        both.alpha.start()
        # Begun, and not only on record: an epoch that was never begun is the next one once more.
        eventually(lambda: 2 == both.alpha.look().get("epoch"))
        forget(both, both.alpha, CATALOG)
        both.alpha.start()
        both.mirror()
        assert 3 == both.beta.look()["epoch"]
        forget(both, both.alpha, CATALOG)
        both.alpha.start()
        both.mirror()
        assert (4, 4) == (both.alpha.look()["epoch"], both.beta.look()["epoch"])


def test_the_primarys_whole_state_deleted() -> None:
    """Nothing is left of what the primary knew: the secondary proves that it has commits of it, so nothing is sent until
    an operator accepts what stands there; then the next epoch is taken, and the standby stays."""
    with pair() as both:
        filled(both)
        both.alpha.kill()
        shutil.rmtree(both.alpha.state)
        before = identities(both.target)
        both.alpha.start()
        both.alpha.told("rewound", "beta", "of this node")
        assert "rewound" == both.alpha.json("accept", "web", "--yes")["accepted"]
        both.mirror()
        assert before == identities(both.target)
        assert 2 == both.beta.look()["epoch"]
        (both.source / "later").write_text("1")
        both.mirror()
        both.alpha.cleared("rewound", "not-running")


def test_the_secondarys_catalog_deleted() -> None:
    """Everything is offered again; chunks that the vault still has do not travel, files that stand are not written."""
    with pair() as both:
        filled(both)
        forget(both, both.beta, CATALOG)
        before = identities(both.target)
        both.beta.start()
        both.mirror()
        assert before == identities(both.target)
        (both.source / "later").write_text("1")
        both.mirror()
        assert both.beta.json("verify", "web", "--deep")["equal"]


def test_the_secondarys_whole_state_deleted() -> None:
    """The standby is known by the mark in it: it is taken again, compared, and not written."""
    with pair() as both:
        filled(both)
        both.beta.kill()
        shutil.rmtree(both.beta.state)
        before = {name: found[:2] for name, found in identities(both.target).items()}
        both.beta.start()
        both.mirror()
        assert before == {name: found[:2] for name, found in identities(both.target).items()}


def test_the_secondarys_vault_deleted() -> None:
    """The chunks are gone and the catalog is not: said, asked for again from the primary, and whole again by itself."""
    with pair() as both:
        filled(both)
        both.alpha.kill()
        both.beta.kill()
        shutil.rmtree(both.home(both.beta) / "vault")
        both.beta.start()
        both.beta.told("vault-damaged")
        (both.source / "d1" / "f1").chmod(0o600)
        both.alpha.start()
        both.mirror()
        both.beta.cleared("vault-damaged")
        (both.target / "d1" / "f6").unlink()
        assert ["missing"] == differing(both, "d1/f6")


def differing(both: Pair, path: str) -> list[str]:
    """What `verify --deep` finds at a path; its vault must be whole, so nothing else."""
    done = both.beta.run("verify", "web", "--deep", "--json")
    found = json.loads(done.stdout)["differences"]
    assert {path, "d1"} >= {one["path"] for one in found}
    return [one["what"] for one in found if one["path"] == path]


@pytest.mark.parametrize("which", [0, 1])
def test_local_facts_deleted(which: int) -> None:
    """Losing what is known only here costs time: nothing on the standby is rewritten, and changes still arrive."""
    with pair() as both:
        filled(both)
        forget(both, both.agents[which], LOCAL)
        before = {name: found[:2] for name, found in identities(both.target).items()}
        both.agents[which].start()
        both.mirror()
        assert before == {name: found[:2] for name, found in identities(both.target).items()}
        assert 1 == both.beta.look()["epoch"]
        (both.source / "d1" / "f1").write_text("changed")
        both.mirror()
