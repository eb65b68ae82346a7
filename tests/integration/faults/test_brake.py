"""The brake between two agents: mass deletion and rewriting are held on the secondary and told, an upgrade of packages is not."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.core.errors import Exit
from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.trees import snapshot

FILES, DIRECTORIES = 400, 10


def with_files(both: Pair) -> list[Path]:
    """A live pair with files in directories; their paths."""
    paths = [both.source / f"d{number % DIRECTORIES}" / f"f{number}" for number in range(FILES)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{path.name} as it was")
    both.begin()
    return paths


def held(both: Pair, code: str, *words: str) -> str:
    """Wait for the hold; what a person reads of it in `hikae status` on the secondary."""
    problem = both.beta.told(code, *words)
    assert "error" == problem["severity"]
    eventually(
        lambda: (
            ("held", problem["message"])
            == (both.beta.look()["state"], (both.beta.look()["hold"] or {}).get("sentence"))
        )
    )
    shown = " ".join(both.beta.run("status").stdout.split())
    return shown[shown.index(" web ") + 1 :]


def test_a_deletion_that_is_spread_over_time_is_held() -> None:
    """`rm -rf` of most of a tree, a few files at a time: what passed before the limit is gone, the rest stays; receiving goes on,
    a restart forgets nothing, `accept` lets it pass, and the next one is held anew."""
    with pair() as both:
        paths = with_files(both)
        for number, path in enumerate(paths[:380]):
            path.unlink()
            if number % 20 == 0:
                both.alpha.wait("durable")
        both.alpha.wait("durable")
        eventually(lambda: both.beta.look()["hold"] and both.beta.look()["hold"]["generation"])
        line = held(both, "mass-deletion", "380 of 410 entries deleted since ")
        kept = both.beta.json("generations", "show", "web", "latest")
        assert ("brake", 410) == (kept["cause"], kept["entries"])
        sentence = (
            r"380 of 410 entries deleted since [\d:]{8}, \S+ among them; the standby stays as it stands\. "
            rf"If it was not meant, back to just before it, on alpha: hikae rollback web --generation {kept['generation']} "
            r"If it was, on beta: hikae accept web"
        )
        assert re.match(rf"web HELD ← alpha [\d:]+ [\d:]+( !)? never .* {sentence}", line), line
        assert "first sync" not in line
        left = sum(1 for path in both.target.rglob("f*") if path.is_file())
        assert FILES - 123 <= left <= FILES
        (both.source / "later").write_text("received, not applied")
        both.alpha.wait("durable")
        both.beta.restart()
        held(both, "mass-deletion", "380 of 410")
        assert not (both.target / "later").exists()
        assert Exit.REFUSED == both.alpha.run("accept", "web", "--yes").returncode
        events = {(event["dataset"], event["code"]) for event in both.beta.json("events")}
        assert ("web", "mass-deletion") in events
        both.beta.json("accept", "web", "--yes")
        both.mirror()
        both.beta.cleared("mass-deletion")
        eventually(lambda: both.beta.look()["state"] == "streaming")


def test_a_rewrite_of_most_of_a_tree_is_held() -> None:
    """60 % of the files get other content, in place: held. The old content back ends it without a person."""
    with pair() as both:
        paths = with_files(both)
        for path in paths[: FILES * 6 // 10]:
            path.write_text("nobody can read this")
        both.alpha.wait("durable")
        line = held(both, "mass-rewriting", "240 of 400 files rewritten since ")
        assert "hikae accept web" in line
        resumed = both.beta.run("resume", "web").stdout
        assert re.search(r"nothing is paused\n.*240 of 400 files rewritten since .*: hikae accept web", resumed), (
            resumed
        )
        for path in paths[: FILES * 6 // 10]:
            path.write_text(f"{path.name} as it was")
        both.mirror()
        both.beta.cleared("mass-rewriting")


def test_the_limits_are_those_of_the_secondary() -> None:
    """What the primary's file says of the brake is nothing to it."""
    with pair() as both:
        with both.alpha.config.open("a") as file:
            file.write('[dataset.brake]\ndeleted = "0%"\n')
        with both.beta.config.open("a") as file:
            file.write('[dataset.brake]\ndeleted = "50%"\nmin_entries = 10\n')
        paths = with_files(both)
        for path in paths[:200]:
            path.unlink()
        both.mirror()
        for path in paths[200:210]:
            path.unlink()
        both.alpha.wait("durable")
        held(both, "mass-deletion", "210 of 410 entries deleted since ")


class Packages:
    """Debian packages of our own making, installed into a directory by the real dpkg."""

    COUNT, FILES = 8, 50

    def __init__(self, base: Path, root: Path) -> None:
        self.base, self.root = base, root
        self.rng = random.Random(1)
        for name in ("info", "updates"):
            (root / "var/lib/dpkg" / name).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()

    def install(self, number: int, version: int) -> None:
        """Every version has other content, some files that the one before had not, and lacks some that it had."""
        tree = self.base / f"package-{number}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: shop-{number}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n"
            "Description: files for a test\n"
        )
        for file in range(version * 3, version * 3 + self.FILES):
            path = tree / f"usr/share/shop-{number}/{file % 5}/{file}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.rng.randbytes(500))
        deb = tree.with_suffix(".deb")
        self._run("dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tree), str(deb))
        self._run("dpkg", f"--root={self.root}", "--force-unsafe-io", "-i", str(deb))

    def _run(self, *words: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert 0 == done.returncode, done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("dpkg") is None, reason="takes root and dpkg")
def test_an_upgrade_of_packages_passes() -> None:
    """dpkg unpacks beside every file and renames over it, for two of eight packages: a quarter of a tree, one after the other."""
    with pair() as both:
        packages = Packages(both.base, both.source)
        for number in range(Packages.COUNT):
            packages.install(number, 1)
        both.begin()
        before = snapshot(str(both.target))
        for number in range(2):
            packages.install(number, 2)
            both.mirror()
        after = snapshot(str(both.target))
        changed = {path for path in before.keys() & after.keys() if before[path].content != after[path].content}
        assert len(changed) >= 90
        assert 6 == sum(b"/shop-" in path for path in before.keys() - after.keys())
        assert not both.beta.problems()
