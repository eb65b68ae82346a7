"""The directory that is to become the standby, when it is not what it should be: refused untouched, and on by itself."""

from __future__ import annotations

import random
import shutil
from functools import partial
from pathlib import Path

from fakes.agents import pair
from fakes.eventually import eventually
from fakes.trees import differences, snapshot


def test_a_directory_that_is_not_empty_is_refused_untouched() -> None:
    """Nothing in it is written or removed; what comes is stored meanwhile; once it is emptied the apply goes on by itself."""
    with pair() as both:
        both.target.mkdir()
        (both.target / "mine").write_text("somebody's only copy")
        (both.target / "sub").mkdir()
        before = snapshot(str(both.target))
        (both.source / "file").write_text("content")
        both.start()
        assert str(both.target) in both.beta.told("standby-not-empty")["remedy"] + str(both.beta.look()["path"])
        both.alpha.wait("durable")
        eventually(lambda: "held" == both.beta.look()["state"])
        assert before == snapshot(str(both.target))
        assert not (both.target / ".hikae").exists()
        shutil.rmtree(both.target / "sub")
        (both.target / "mine").unlink()
        both.mirror()
        both.beta.cleared("standby-not-empty")


def test_a_path_that_cannot_be_made_is_named(tmpfs_dir: Path) -> None:
    """The directory above the standby is missing: said with what to create; created, it goes on by itself."""
    above = tmpfs_dir / "mnt"
    with pair(standby=above / "standby") as both:
        (both.source / "file").write_text("content")
        both.start()
        both.beta.told("standby-path-missing")
        above.mkdir()
        both.mirror()
        both.beta.cleared("standby-path-missing")


def test_another_directory_in_the_standbys_place_is_not_written() -> None:
    """The standby moved away while it runs: named, a directory made in its place stays as it is; moved back, on it goes."""
    with pair() as both:
        (both.source / "file").write_text("content")
        both.begin()
        away = both.base / "away"
        both.target.rename(away)
        (both.source / "later").write_text("1")
        both.alpha.wait("durable")
        both.beta.told("standby-gone")
        both.target.mkdir()
        (both.target / "other").write_text("not ours")
        both.beta.told("standby-replaced")
        assert {b"", b"other"} == snapshot(str(both.target)).keys()
        shutil.rmtree(both.target)
        away.rename(both.target)
        both.mirror()
        both.beta.cleared("standby-gone", "standby-replaced")


def test_another_path_is_filled_by_resync() -> None:
    """Changed in the files of both nodes, as the README says: what equals at the new path is taken over and not written again,
    the rest comes; the old directory stays as it was, and no node says that their configurations differ."""
    with pair() as both:
        for name in ("same", "other", "missing"):
            (both.source / name).write_text(f"the content of {name}")
        both.begin()
        before = snapshot(str(both.target))
        other = both.base / "another place"
        shutil.copytree(both.target, other, ignore=shutil.ignore_patterns(".hikae", "missing"))
        inode = (other / "same").stat().st_ino
        (other / "other").write_text("something else")
        (other / "foreign").write_text("not ours")
        for agent in both.agents:
            agent.config.write_text(agent.config.read_text().replace(str(both.target), str(other)))
            agent.json("reload")
        assert "hikae resync web --standby" in both.beta.told("standby-replaced")["remedy"]
        assert 3 == both.beta.run("resync", "web", "--standby").returncode
        both.beta.json("resync", "web", "--standby", "--yes")
        assert eventually((other / "missing").exists)
        both.beta.cleared("standby-replaced", "not-running")
        both.alpha.json("wait", "web", "--applied", "--timeout", "60")
        assert [] == differences(str(both.source), str(other))
        assert (inode, before) == ((other / "same").stat().st_ino, snapshot(str(both.target)))
        (both.source / "later").write_text("goes on")
        both.alpha.json("wait", "web", "--applied", "--timeout", "60")
        assert [] == differences(str(both.source), str(other))
        for agent in both.agents:
            agent.cleared("config-differs")
        assert 3 == both.beta.run("resync", "web", "--standby", "--yes").returncode
        assert 3 == both.alpha.run("resync", "web", "--standby", "--yes").returncode


def test_a_lost_standby_is_filled_from_the_vault_while_the_primary_is_dead(rng: random.Random) -> None:
    """Also where the agent is killed again and again meanwhile: the next one goes on by itself."""
    with pair() as both:
        for number in range(400):
            (both.source / f"f{number}").write_bytes(rng.randbytes(20_000))
        both.begin()
        both.alpha.kill()
        # At once: what is removed in parts may be written to in between.
        lost = both.target.rename(both.base / "lost")
        both.beta.told("standby-gone")
        shutil.rmtree(lost)
        both.beta.json("resync", "web", "--standby", "--yes")
        for _ in range(4):
            wanted = min(_files(both.target) + 1, 400)
            eventually(partial(_has_files, both.target, wanted))
            both.beta.kill()
            both.beta.start()
        both.beta.up()
        eventually(lambda: not differences(str(both.source), str(both.target)), 60)
        both.beta.cleared("standby-gone", "not-running")


def _files(target: Path) -> int:
    return len(list(target.glob("f*")))


def _has_files(target: Path, count: int) -> bool:
    return _files(target) >= count


def test_a_standby_that_is_gone_has_nothing_applied() -> None:
    """Also where nothing was written since: no waiting ends by it, and it counts again once it is back."""
    with pair() as both:
        (both.source / "file").write_text("content")
        both.begin()
        away = both.base / "away"
        both.target.rename(away)
        eventually(lambda: both.alpha.peer("beta").get("applied_seq") == 0)
        assert 0 != both.alpha.run("wait", "web", "--applied", "--timeout", "1").returncode
        away.rename(both.target)
        both.mirror()
