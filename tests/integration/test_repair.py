"""`verify --repair`: what was changed behind our back on the standby, and what the vault lost, is mended."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.errors import Exit
from fakes.agents import Pair, pair
from fakes.trees import differences


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    """One live pair for every kind of tampering."""
    with pair() as one:
        for name in ("content", "modes", "removed", "typed", "linked"):
            (one.source / name).write_text("content of a file\n")
        os.link(one.source / "linked", one.source / "linked-too")
        (one.source / "sub" / "deep").mkdir(parents=True)
        (one.source / "sub" / "deep" / "leaf").write_text("leaf")
        (one.source / "link").symlink_to("content")
        (one.source / "large").write_bytes(os.urandom(17 << 20))
        one.begin()
        yield one


def verified(both: Pair, *how: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of `hikae verify web`."""
    done = both.beta.run("verify", "web", "--json", *how)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def content_with_its_time_kept(standby: Path) -> None:
    """Other bytes of the same number, the old time."""
    path = standby / "content"
    times = path.stat()
    path.write_text("CONTENT of a file\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def a_page_of_a_large_file(standby: Path) -> None:
    """A few bytes in the middle of a file that is not rewritten whole."""
    path = standby / "large"
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(9 << 20)
        file.write(b"foreign")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def metadata(standby: Path) -> None:
    """Mode and time of a file, mode of a directory and of the root."""
    (standby / "modes").chmod(0o600)
    os.utime(standby / "modes", (1, 1))
    (standby / "sub").chmod(0o711)
    standby.chmod(0o700)


def missing(standby: Path) -> None:
    """A file, and a directory with what is in it."""
    (standby / "removed").unlink()
    (standby / "sub" / "deep" / "leaf").unlink()
    (standby / "sub" / "deep").rmdir()


def foreign(standby: Path) -> None:
    """A file and a directory more."""
    (standby / "extra").write_text("foreign")
    (standby / "sub" / "more").mkdir()
    (standby / "sub" / "more" / "inside").write_text("foreign")


def another_type(standby: Path) -> None:
    """A file became a directory, a directory a file, a link leads elsewhere."""
    (standby / "typed").unlink()
    (standby / "typed").mkdir()
    (standby / "sub" / "deep" / "leaf").unlink()
    (standby / "sub" / "deep").rmdir()
    (standby / "sub" / "deep").write_text("file")
    (standby / "link").unlink()
    (standby / "link").symlink_to("/etc/passwd")


def a_broken_hard_link(standby: Path) -> None:
    """Two names of one file became two files."""
    content = (standby / "linked").read_bytes()
    (standby / "linked").unlink()
    (standby / "linked").write_bytes(content)


TAMPERINGS = [
    content_with_its_time_kept,
    a_page_of_a_large_file,
    metadata,
    missing,
    foreign,
    another_type,
    a_broken_hard_link,
]


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda one: str(one.__name__))
def test_each_tampering_is_mended(both: Pair, tamper: Callable[[Path], None]) -> None:
    """Found, mended with its number told and exit code 0, gone at the next look; both trees are equal again."""
    tamper(both.target)
    code, report = verified(both, "--deep")
    assert (Exit.FAILED, False) == (code, report["equal"])
    found = len(report["differences"])
    code, report = verified(both, "--deep", "--repair")
    assert (Exit.DONE, True, [], found) == (code, report["equal"], report["differences"], report["repaired"])
    code, report = verified(both, "--deep")
    assert (Exit.DONE, True, 0) == (code, report["equal"], report["repaired"])
    assert [] == differences(str(both.source), str(both.target))


def test_what_was_foreign_is_kept_aside(both: Pair) -> None:
    """Repair throws nothing away that it does not know: it stands in `.hikae/displaced`, and that is said."""
    (both.target / "precious").write_text("not to be lost")
    assert Exit.DONE == verified(both, "--repair")[0]
    kept = [path for path in (both.target / ".hikae" / "displaced").iterdir() if path.name.endswith("-precious")]
    assert ["not to be lost"] == [path.read_text() for path in kept]
    assert "displaced" in both.beta.problems()


def test_a_repaired_standby_follows_on() -> None:
    """After a repair, and after a restart behind it, later changes arrive as ever."""
    with pair() as one:
        (one.source / "content").write_text("content")
        one.begin()
        (one.target / "content").write_text("tampered")
        assert Exit.DONE == verified(one, "--repair")[0]
        (one.source / "later").write_text("1")
        one.mirror()
        one.beta.restart()
        (one.source / "later").write_text("2")
        one.mirror()
        assert Exit.DONE == verified(one, "--deep")[0]


def spoil(both: Pair) -> None:
    """Overwrite some bytes in every part of every pack, while beta is stopped."""
    for pack in (both.home(both.beta) / "vault" / "packs").glob("*.pack"):
        with pack.open("r+b") as file:
            for at in range(600, pack.stat().st_size - 64, 50_000):
                file.seek(at)
                file.write(b"\x5a" * 32)


def filled(one: Pair) -> None:
    """A pair with some hundred kilobytes, equal, then both stopped."""
    for number in range(30):
        (one.source / f"random{number}").write_bytes(os.urandom(40_000))
    one.begin()
    one.stop()


def test_a_damaged_vault_is_mended_from_the_standby_alone() -> None:
    """The primary is away: the standby's own files give back every chunk; the next look is clean and nothing is asked for."""
    with pair() as one:
        filled(one)
        spoil(one)
        one.beta.start()
        one.beta.up()
        assert Exit.FAILED == verified(one, "--deep")[0]
        code, report = verified(one, "--deep", "--repair")
        assert (Exit.DONE, True, []) == (code, report["equal"], report["differences"])
        assert report["repaired"] > 0
        one.beta.cleared("vault-damaged")
        assert Exit.DONE == verified(one, "--deep")[0]


def test_what_neither_has_is_said_and_comes_with_the_primary() -> None:
    """Vault and standby are both spoilt, the primary is away: exit code 1 and what is left; with the primary all is mended."""
    with pair() as one:
        filled(one)
        spoil(one)
        for number in range(30):
            (one.target / f"random{number}").write_bytes(b"tampered")
        one.beta.start()
        one.beta.up()
        code, report = verified(one, "--deep", "--repair")
        assert (Exit.FAILED, False) == (code, report["equal"])
        assert any(row["what"].startswith("vault: ") for row in report["differences"])
        one.alpha.start()
        one.alpha.up()
        code, report = verified(one, "--deep", "--repair")
        assert (Exit.DONE, True, []) == (code, report["equal"], report["differences"])
        assert [] == differences(str(one.source), str(one.target))
        one.beta.cleared("vault-damaged", "chunk-damaged")
        one.beta.kill(signal.SIGTERM)
