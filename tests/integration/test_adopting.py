"""`adopt = true`: a standby's tree that was there already is taken over, and only what differs travels."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from agent.core.errors import Exit
from fakes.adopted import ADOPT, copy, fill, forget_index, identities, seeded
from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.proxy import proxy
from fakes.trees import differences

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


def whole(both: Pair) -> None:
    """Trees equal, vault whole without the tree, `verify --deep` clean."""
    both.mirror(90)
    eventually(lambda: seeded(both), 60)
    both.beta.cleared("vault-damaged", "chunk-damaged")
    assert both.beta.json("verify", "web", "--deep")["equal"]
    assert [] == differences(str(both.source), str(both.target))


def some_files(both: Pair, count: int = 40, size: int = 100_000) -> None:
    """Files of several chunks each, the same on both sides."""
    for number in range(count):
        (both.source / f"file{number}").write_bytes(os.urandom(size))
    copy(both)


def relied_on(both: Pair) -> None:
    """The first sync is durable on beta, where nothing is applied yet, nor copied into the packs."""
    both.beta.start()
    both.beta.up()
    eventually(lambda: indexed(both))
    both.beta.json("pause", "web", "--apply")
    both.alpha.start()
    both.alpha.up()
    both.alpha.json("wait", "web", "--durable", "--timeout", "60")
    assert "paused" == both.beta.look()["state"]


def indexed(both: Pair) -> bool:
    """Whether what stands there is known: from then on the primary may call."""
    return "what stands there is known" in both.beta.log.read_text()


def test_every_kind_of_difference_is_made_as_on_the_primary() -> None:
    """Missing, more, other content, type, mode, links, a renamed directory: made equal; what is more is kept aside and
    told once."""
    with pair(ADOPT) as both:
        some_files(both, 12, 30_000)
        (both.source / "sub" / "deep").mkdir(parents=True)
        (both.source / "sub" / "deep" / "leaf").write_text("leaf")
        (both.source / "typed").write_text("a file")
        os.link(both.source / "file1", both.source / "file1-too")
        copy(both)
        (both.source / "sub").rename(both.source / "renamed")
        (both.source / "file2").chmod(0o600)
        (both.source / "file3").write_bytes(b"changed")
        (both.source / "new").write_text("new")
        shutil.rmtree(both.target / "typed", ignore_errors=True)
        (both.target / "typed").unlink()
        (both.target / "typed").mkdir()
        (both.target / "surplus").write_text("kept aside")
        (both.target / "file1-too").unlink()
        shutil.copy2(both.target / "file1", both.target / "file1-too")
        (both.target / "link").symlink_to("/etc/passwd")
        both.start()
        whole(both)
        told = both.beta.problems()["displaced"]
        assert "entries of the adopted tree" in told["message"]
        assert str(both.target / ".hikae/displaced") in told["message"]
        aside = [path.name for path in (both.target / ".hikae" / "displaced").iterdir()]
        assert any(name.endswith("-surplus") for name in aside), aside


def test_without_adopt_a_path_that_is_not_empty_stays_untouched() -> None:
    """Refused as ever, and the remedy names the key."""
    with pair() as both:
        some_files(both, 3, 1_000)
        before = identities(both.target)
        both.start()
        assert "adopt = true" in both.beta.told("standby-not-empty")["remedy"]
        assert (before, False) == (identities(both.target), (both.target / ".hikae").exists())


def test_an_empty_path_is_filled_as_ever() -> None:
    """`adopt = true` and nothing there: an ordinary first sync."""
    with pair(ADOPT) as both:
        (both.source / "file").write_text("content")
        both.begin()
        assert seeded(both)


def test_an_empty_primary_is_held() -> None:
    """Primary and standby mixed up, or its disk not mounted: the tree is not moved aside before somebody says so."""
    with pair(ADOPT) as both:
        some_files(both, 3, 1_000)
        for path in both.source.iterdir():
            path.unlink()
        both.start()
        both.beta.up()
        both.beta.told("held", "the primary is empty")
        assert {"file0", "file1", "file2"} <= {path.name for path in both.target.iterdir()}
        both.beta.json("accept", "web", "--yes")
        whole(both)


def test_killed_before_anything_was_copied() -> None:
    """What was only relied on outlives kill -9 and the loss of the vault's index: the vault becomes whole from the tree."""
    with pair(ADOPT) as both:
        some_files(both)
        relied_on(both)
        both.beta.kill()
        forget_index(both)
        both.beta.start()
        whole(both)


def test_killed_while_seeding() -> None:
    """kill -9 again and again while the vault is seeded: each time it goes on, and ends whole."""
    with pair(ADOPT) as both:
        some_files(both, 60, 1 << 20)
        both.start()
        both.beta.up()
        for _ in range(3):
            eventually(lambda: seeded(both) or both.beta.look().get("state") == "seeding", 60)
            both.beta.kill()
            both.beta.start()
            both.beta.up()
        whole(both)


def test_killed_while_the_tree_is_read() -> None:
    """kill -9 of the secondary during the first look: it begins again where it was."""
    with pair(ADOPT) as both:
        fill(both, 2_000, 5)
        both.start()
        both.beta.kill()
        both.beta.start()
        both.beta.up()
        both.beta.kill()
        both.beta.start()
        whole(both)


def tamper(path: Path) -> None:
    """Other bytes behind the old time."""
    times = path.stat()
    path.write_bytes(os.urandom(path.stat().st_size))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_what_a_stranger_changes_meanwhile_comes_from_the_primary() -> None:
    """Files changed, removed and moved away while only they hold what the commit names: noticed, asked for, and all is whole."""
    with pair(ADOPT) as both:
        some_files(both)
        relied_on(both)
        tamper(both.target / "file1")
        (both.target / "file2").unlink()
        (both.target / "file3").rename(both.target / "elsewhere")
        both.beta.json("resume", "web", "--apply")
        whole(both)


def test_a_list_of_places_that_is_gone_is_noticed() -> None:
    """`standby.db` removed while it was relied on: what it led to is asked of the primary."""
    with pair(ADOPT) as both:
        some_files(both)
        relied_on(both)
        both.beta.kill(signal.SIGTERM)
        for path in (both.home(both.beta) / "vault").glob("standby.db*"):
            path.unlink()
        both.beta.start()
        whole(both)


def test_changes_go_on_while_the_vault_is_seeded() -> None:
    """The primary rewrites, moves and removes adopted files at once: what history needs is copied before it is overwritten."""
    with pair(ADOPT) as both:
        some_files(both)
        relied_on(both)
        for number in range(20):
            (both.source / f"file{number}").write_bytes(os.urandom(50_000))
        for number in range(20, 30):
            (both.source / f"file{number}").unlink()
        (both.source / "below").mkdir()
        for number in range(30, 35):
            (both.source / f"file{number}").rename(both.source / "below" / f"file{number}")
        both.alpha.json("wait", "web", "--durable", "--timeout", "60")
        both.beta.json("resume", "web", "--apply")
        whole(both)
        code = both.beta.run("verify", "web", "--deep", "--repair").returncode
        assert Exit.DONE == code


def test_edits_of_what_is_only_relied_on_end_no_call() -> None:
    """Lines are added to files that stand in the adopted tree only: the patches are taken, one after the other."""
    with pair(ADOPT) as both:
        some_files(both, 6)
        relied_on(both)
        # That nobody was connected before is told by then.
        both.alpha.connected()
        before = [len(agent.log.read_text()) for agent in (both.alpha, both.beta)]
        for number in range(6):
            with (both.source / f"file{number}").open("ab") as file:
                file.write(b"one line more\n")
            both.alpha.json("wait", "web", "--durable", "--timeout", "60")
        logs = both.alpha.log.read_text()[before[0] :] + both.beta.log.read_text()[before[1] :]
        assert [] == [word for word in ("patch of a chunk that is not here", "disconnected") if word in logs]
        both.beta.json("resume", "web", "--apply")
        whole(both)
