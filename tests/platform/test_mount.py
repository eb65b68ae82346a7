"""``hikae mount`` with the real libfuse, beside real agents."""

from __future__ import annotations

import errno
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.agents import REPOSITORY, Agent, pair
from fakes.eventually import eventually
from fakes.fuse import needs_fuse
from fakes.trees import differences

SHORT = (
    'history = "1s"\n[dataset.brake]\nwindow = "1s"\ndeleted = "100%"\nrewritten = "100%"\n'
    '[dataset.generations]\nkeep = { last = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0 }\nimmutable_for = "1s"\n'
)
pytestmark = needs_fuse


@contextmanager
def mounted(agent: Agent, directory: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """The history of a node while a block runs; nothing stays mounted."""
    directory.mkdir(exist_ok=True)
    words = [
        sys.executable,
        "-m",
        "agent.cli.main",
        "--config",
        str(agent.config),
        "mount",
        "web",
        str(directory),
        *more,
    ]
    with subprocess.Popen(words, cwd=REPOSITORY, stdin=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: os.path.ismount(directory) or process.poll() is not None, within=120)
            assert process.poll() is None
            yield process
        finally:
            process.kill()
            process.wait()
            if os.path.ismount(directory) or not os.access(directory, os.R_OK):
                subprocess.run(["umount", "-l", str(directory)], check=False)


def test_a_mounted_generation_is_the_tree_as_it_was(tmp_path: Path) -> None:
    """All metadata and content, with links, holes and odd names, whatever happens to the tree and the agent meanwhile."""
    with pair() as both:
        source, there = both.source, tmp_path / "mnt"
        (source / "d").mkdir()
        (source / "d" / "file").write_bytes(os.urandom(300_000))
        (source / "d" / "file").chmod(0o4751)
        os.chown(source / "d" / "file", 5, 6)
        os.setxattr(source / "d" / "file", b"user.k", b"v\0x")
        os.link(source / "d" / "file", source / "other")
        (source / os.fsdecode(b"odd\xff")).symlink_to("d/file")
        os.mkfifo(source / "pipe")
        with (source / "sparse").open("wb") as file:
            file.truncate(3 << 20)
            file.seek(1 << 20)
            file.write(b"x")
        (source / "many").mkdir()
        for at in range(1500):
            (source / "many" / f"f{at:04d}").write_text(str(at))
        both.begin()
        both.beta.json("generations", "take", "web", "--label", "before", "--json")
        with mounted(both.beta, there) as process:
            # FUSE tells of holes by how many blocks a file has, and not where they are.
            assert [] == [one for one in differences(str(source), str(there / "latest")) if "sparse': holes" not in one]
            before, after = (source / "sparse").stat(), (there / "before" / "sparse").stat()
            assert (before.st_size, True) == (after.st_size, after.st_blocks < 100)
            one, other = (there / "before" / "d" / "file").stat(), (there / "before" / "other").stat()
            assert (one.st_ino, 2) == (other.st_ino, one.st_nlink)
            with pytest.raises(OSError, match=r"[Rr]ead-only"):
                (there / "before" / "new").write_text("x")
            old = (source / "d" / "file").read_bytes()
            (source / "d" / "file").write_bytes(b"changed")
            both.alpha.wait()
            both.beta.restart()
            both.beta.kill()
            assert old == (there / "before" / "d" / "file").read_bytes()
            versions = sorted((there / "by-path" / "d" / "file").iterdir())
            assert [old, b"changed"] == [version.read_bytes() for version in versions]
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(120)
        assert (False, []) == (os.path.ismount(there), os.listdir(there))


def may_read(path: Path, user: int, group: int) -> bool:
    """Whether a process of theirs reads a file."""
    null = subprocess.DEVNULL
    done = subprocess.run(
        ["cat", str(path)], user=user, group=group, extra_groups=[], stdout=null, stderr=null, cwd="/", check=False
    )
    return done.returncode == 0


def acl(*entries: tuple[int, int, int]) -> bytes:
    """An access list, of (tag, bits, id)."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, id & 0xFFFFFFFF) for tag, bits, id in entries)


def test_other_users_read_what_they_might_read_at_the_source() -> None:
    """By modes of files and of the directories above them, and by access lists; versions by path are for who mounts."""
    with pair() as both, tempfile.TemporaryDirectory(prefix="hikae-others-") as above:
        os.chmod(above, 0o755)
        source, there = both.source, Path(above) / "mnt"
        source.chmod(0o755)
        (source / "closed").mkdir(mode=0o700)
        for name in ("open", "private", "listed", "closed/within"):
            (source / name).write_bytes(b"content")
            os.chown(source / name, 5, 6)
            (source / name).chmod(0o600 if name == "private" else 0o644)
        # The owning group has nothing, a named user reads, so the mask and with it the mode's bits of the group say "r".
        listed = acl((1, 6, -1), (2, 4, 1234), (4, 0, -1), (16, 4, -1), (32, 0, -1))
        os.setxattr(source / "listed", "system.posix_acl_access", listed)
        both.begin()
        both.beta.json("generations", "take", "web", "--label", "now", "--json")
        with mounted(both.beta, there, "--allow-other"):
            top = there / "now"
            (version,) = (there / "by-path" / "closed" / "within").iterdir()
            files = (top / "open", top / "private", top / "listed", top / "closed" / "within", version)
            assert [True] * 5 == [may_read(path, 0, 0) for path in files]
            assert [True, False, False, False, False] == [may_read(path, 77, 6) for path in files]
            assert [True, False, True, False, False] == [may_read(path, 1234, 88) for path in files]


def test_a_mount_ends_with_umount_and_a_dead_one_is_named(tmp_path: Path) -> None:
    """An unmounted one is done; what a killed one leaves is said with the way out; readers at once do not disturb one another."""
    with pair() as both:
        (both.source / "big").write_bytes(os.urandom(20 << 20))
        both.begin()
        generation = both.beta.json("generations", "take", "web", "--json")["generation"]
        there = tmp_path / "mnt"
        with mounted(both.beta, there, "--generation", generation) as process:
            readers = [
                subprocess.Popen(["cmp", str(both.source / "big"), str(there / "big")], stdin=subprocess.DEVNULL)
                for _ in range(8)
            ]
            assert [0] * 8 == [reader.wait(120) for reader in readers]
            subprocess.run(["umount", str(there)], check=True)
            assert 0 == process.wait(120)
        with mounted(both.beta, there) as process:
            process.kill()
            process.wait()
            refused = both.beta.run("mount", "web", str(there))
            assert (3, True) == (refused.returncode, f"umount {there}" in refused.stderr)
        for agent, arguments, code, words in [
            (both.alpha, ("web", str(there)), 3, "on beta: hikae mount web DIR"),
            (both.beta, ("nothing", str(there)), 4, "this node has: web"),
            (both.beta, ("web", str(tmp_path / "missing")), 4, "mkdir"),
            (both.beta, ("web", str(there), "--generation", "nothing"), 4, "hikae generations list"),
            (both.beta, ("web", str(there), "--at", "2099-01-01"), 3, "in the future"),
        ]:
            answer = agent.run("mount", *arguments)
            assert (arguments, code, True) == (arguments, answer.returncode, words in answer.stderr)


def test_a_moment_of_another_node_is_mounted(tmp_path: Path) -> None:
    """On the primary, which keeps no history: rows and chunks come from its peer, and what does not come is an error, no end."""
    with pair() as both:
        (both.source / "d").mkdir()
        (both.source / "d" / "file").write_bytes(os.urandom(3_000_000))
        (both.source / "large").write_bytes(os.urandom(30 << 20))
        both.begin()
        both.beta.json("generations", "take", "web", "--label", "before", "--json")
        there, old = tmp_path / "mnt", (both.source / "d" / "file").read_bytes()
        (both.source / "d" / "file").write_bytes(b"changed")
        both.alpha.wait()
        with mounted(both.alpha, there, "--from", "beta", "--generation", "before") as process:
            assert (old, ["d", "large"]) == ((there / "d" / "file").read_bytes(), sorted(os.listdir(there)))
            assert (both.source / "large").read_bytes() == (there / "large").read_bytes()
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(120)
        with mounted(both.alpha, there, "--from", "beta"):
            both.beta.kill()
            assert ["d", "large"] == sorted(os.listdir(there))
            with pytest.raises(OSError, match="rror"):
                (there / "large").read_bytes()
        for words, code in [(("--from", "gamma"), 4), (("--from", "beta"), 69)]:
            assert (words, code) == (words, both.alpha.run("mount", "web", str(there), *words).returncode)


def test_damage_is_an_error_and_never_other_bytes(tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Bits that flipped in the packs: each file is read as it was, or not at all and named."""
    chance = random.Random(seed)
    with pair() as both:
        whole = {f"f{at}": chance.randbytes(50_000) for at in range(40)}
        for name, data in whole.items():
            (both.source / name).write_bytes(data)
        both.begin()
        both.beta.json("generations", "take", "web", "--json")
        both.beta.kill()
        (pack,) = (both.home(both.beta) / "vault" / "packs").iterdir()
        with pack.open("r+b") as file:
            for _ in range(20):
                place = chance.randrange(1000, 40 * 50_000)
                file.seek(place)
                old = file.read(1)
                file.seek(place)
                file.write(bytes([old[0] ^ 1 << chance.randrange(8)]))
        there, failed = tmp_path / "mnt", []
        with mounted(both.beta, there):
            for name, data in whole.items():
                try:
                    assert data == (there / "latest" / name).read_bytes()
                except OSError as error:
                    failed.append((name, error.errno))
        said = capfd.readouterr().err
        assert 0 < len(failed) < len(whole)
        assert {errno.EIO} == {number for _, number in failed}
        assert [] == [
            name for name, _ in failed if f"latest/{name}: " not in said and f"/{name}: cannot read" not in said
        ]


def test_a_mounted_generation_that_is_to_expire_stays_until_it_is_unmounted(tmp_path: Path) -> None:
    """It goes then; one that nobody looked into goes at once."""
    with pair(SHORT) as both:
        for label in ("read", "unread", "newest"):
            (both.source / "file").write_text(label)
            (both.begin if label == "read" else both.alpha.wait)()
            both.beta.json("generations", "take", "web", "--label", label, "--json")
        there = tmp_path / "mnt"
        with mounted(both.beta, there):
            assert "read" == (there / "read" / "file").read_text()
            eventually(lambda: expired(both.beta) == ["read", "newest"])
            assert ("read", "newest") == tuple((there / name / "file").read_text() for name in ("read", "latest"))
        eventually(lambda: expired(both.beta) == ["newest"])


def expired(agent: Agent) -> list[str]:
    """What stays of the generations that are asked to go. None goes at once: the last second's are immutable."""
    agent.json("generations", "expire", "web", "--yes", "--json")
    return [one["label"] for one in agent.json("generations", "list", "web", "--json")]
