"""A restore over what stands: only what differs is written, nothing is deleted, and what is not the dataset's stays."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.ports import LeftOut, nothing_left_out
from agent.core.errors import Refused, TryAgain
from agent.core.ids import CommitNumber
from agent.generations.reading import MomentReader
from agent.generations.restore.asked import Parts
from agent.generations.restore.crew import Crew
from agent.generations.restore.gates import refuse_small_in_place
from agent.generations.restore.restoring import Restoration, restore_into
from agent.generations.restore.results import Done
from agent.generations.restore.room import needed, still_needed
from agent.generations.restore.target import Order, open_target
from agent.generations.restore.worker import Stores
from agent.store.vault.beside import VaultBeside
from agent.store.vault.pack import HEADER_SIZE, path_of
from fakes.agents import Pair, pair
from fakes.mounts import enlarge, memory, needs_root
from fakes.trees import differences

LARGE = 80 << 20


def build(source: Path) -> None:
    """Directories, a large file with holes, one of many chunks, one with two names."""
    for directory in ("kept", "moved", "gone"):
        (source / directory / "below").mkdir(parents=True)
        for at in range(5):
            (source / directory / "below" / f"{at}").write_bytes(os.urandom(5000))
    with (source / "large").open("wb") as file:
        file.truncate(LARGE)
        for at in (0, 33 << 20, 70 << 20):
            file.seek(at)
            file.write(os.urandom(2 << 20))
    (source / "many chunks").write_bytes(os.urandom(4 << 20))
    (source / "linked").write_bytes(os.urandom(90_000))
    os.link(source / "linked", source / "kept" / "other name")


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[Pair, Stores, CommitNumber, CommitNumber]]:
    """Those of a standby; two moments, of which ``was`` and ``then`` beside them are copies."""
    with pair('[dataset.brake]\ndeleted = "100%"\nrewritten = "100%"\n') as both:
        build(both.source)
        both.begin()
        both.beta.json("generations", "take", "web", "--label", "was")
        copied(both.source, both.base / "was")
        (both.source / "kept" / "below" / "3").write_bytes(b"changed")
        (both.source / "moved").rename(both.source / "kept" / "moved here")
        shutil.rmtree(both.source / "gone")
        (both.source / "new").mkdir()
        (both.source / "new" / "file").write_text("new")
        both.alpha.wait()
        both.beta.json("generations", "take", "web", "--label", "then")
        copied(both.source, both.base / "then")
        home = both.home(both.beta)
        stores = Stores(str(home / "catalog.db"), str(home / "vault"))
        with stores.opened() as (reader, _, _):
            was, then = (one.number for one in reader.generations())
        yield both, stores, was, then


def copied(tree: Path, to: Path) -> Path:
    """Where there is now a copy with everything but our own directory."""
    subprocess.run(["cp", "-a", "--sparse=always", str(tree), str(to)], check=True)
    shutil.rmtree(to / ".hikae", ignore_errors=True)
    os.utime(to, ns=(os.stat(tree).st_mtime_ns,) * 2)
    return to


def made_equal(
    stores: Stores,
    number: CommitNumber,
    to: Path,
    parts: tuple[bytes, ...] = (),
    since: CommitNumber | None = None,
    left_out: LeftOut = nothing_left_out,
    in_place: bool = True,
) -> Done:
    """What a restore into ``to`` did."""
    with Crew(2) as crew, stores.opened() as (reader, read, _):
        target = open_target(str(to), Order("web", str(number), ()), in_place=in_place)
        try:
            moment = MomentReader(reader, read, number)
            wanted = Restoration(moment, stores.words, Parts(parts), left_out, lambda _: None, since)
            return restore_into(target, wanted, crew, os.urandom(4).hex())
        finally:
            target.close()


StoresOf = tuple[Pair, Stores, CommitNumber, CommitNumber]


@pytest.fixture
def tree(stores: StoresOf, request: pytest.FixtureRequest) -> Path:
    """A tree as it stands at the later moment."""
    base = stores[0].base
    to = base / f"tree of {request.node.name}"
    copied(base / "then", to)
    return to


def displaced(tree: Path) -> list[str]:
    """What was moved aside, by the ends of its names."""
    found = os.listdir(tree / ".hikae" / "displaced")
    return sorted(name.split("-", 2)[2] for name in found)


def test_what_differs_is_written(stores: StoresOf, tree: Path) -> None:
    """And what the moment does not have is moved aside, whole."""
    both, opened, was, _ = stores
    done = made_equal(opened, was, tree)
    assert [] == differences(str(both.base / "was"), str(tree))
    assert ["moved here", "new"] == displaced(tree)
    # "moved" and "gone", 5 files each, and one changed.
    assert done.written <= 11 * 5000, done
    assert done.is_whole
    assert done.verified == done.size
    again = made_equal(opened, was, tree)
    assert (0, 0) == (again.written, again.displaced)


def test_a_large_file_is_written_where_it_differs(stores: StoresOf, tree: Path) -> None:
    """A page of it, and a hole that was filled."""
    both, opened, _, then = stores
    before = (tree / "large").stat()
    for name, at in (("large", 34 << 20), ("large", 50 << 20), ("many chunks", 2 << 20)):
        with (tree / name).open("r+b") as file:
            file.seek(at)
            file.write(b"other" * 100)
    done = made_equal(opened, then, tree)
    assert [] == differences(str(both.base / "then"), str(tree))
    assert 0 < done.written <= 4 << 20
    assert before.st_ino == (tree / "large").stat().st_ino


def test_only_what_changed_since(stores: StoresOf, tree: Path) -> None:
    """What somebody did to what did not change between the two moments stays."""
    both, opened, was, then = stores
    (tree / "kept" / "below" / "1").write_text("mine")
    (tree / "mine").mkdir()
    done = made_equal(opened, was, tree, since=then)
    assert "mine" == (tree / "kept" / "below" / "1").read_text()
    assert (tree / "mine").is_dir()
    assert (both.base / "was" / "kept" / "below" / "3").read_bytes() == (tree / "kept" / "below" / "3").read_bytes()
    assert [] == differences(str(both.base / "was" / "gone"), str(tree / "gone"))
    assert [] == differences(str(both.base / "was" / "moved"), str(tree / "moved"))
    assert ["moved here", "new"] == displaced(tree)
    assert done.written <= 11 * 5000, done


def test_only_what_changed_since_into_an_empty_directory(stores: StoresOf, tree: Path) -> None:
    """Nothing else is there."""
    both, opened, was, then = stores
    to = Path(f"{tree} too")
    made_equal(opened, then, to, since=was, in_place=False)
    assert ["kept", "new"] == sorted(os.listdir(to))
    assert ["below", "moved here"] == sorted(os.listdir(to / "kept"))
    assert ["3"] == os.listdir(to / "kept" / "below")
    assert [] == differences(str(both.base / "then" / "kept" / "moved here"), str(to / "kept" / "moved here"))


def test_parts_leave_the_rest_alone(stores: StoresOf, tree: Path) -> None:
    """What stands beside them, whatever it is."""
    both, opened, was, _ = stores
    made_equal(opened, was, tree, parts=(b"gone", b"kept/below/3"))
    assert [] == differences(str(both.base / "was" / "gone"), str(tree / "gone"))
    assert (both.base / "was" / "kept" / "below" / "3").read_bytes() == (tree / "kept" / "below" / "3").read_bytes()
    assert (tree / "new" / "file").exists()
    assert (tree / "kept" / "moved here").exists()


def test_what_is_excluded_stays(stores: StoresOf, tree: Path) -> None:
    """Also where its directory is none of the moment, which is said."""
    _, opened, was, _ = stores
    (tree / "cache.tmp").write_text("mine")
    (tree / "new" / "inner.tmp").write_text("mine")
    done = made_equal(opened, was, tree, left_out=lambda path, _: path.endswith(b".tmp"))
    assert "mine" == (tree / "cache.tmp").read_text()
    assert "mine" == (tree / "new" / "inner.tmp").read_text()
    assert [b"new"] == [one.path for one in done.unmade]
    assert "inner.tmp" in done.unmade[0].reason


def test_another_type_in_the_way_is_moved_aside(stores: StoresOf, tree: Path) -> None:
    """A directory for a file, a file for a directory, a link for either."""
    both, opened, _, then = stores
    (tree / "many chunks").unlink()
    (tree / "many chunks").mkdir()
    (tree / "many chunks" / "mine").touch()
    shutil.rmtree(tree / "new")
    (tree / "new").write_text("mine")
    (tree / "linked").unlink()
    (tree / "linked").symlink_to(tree / "large")
    shutil.rmtree(tree / "kept" / "below")
    (tree / "kept" / "below").symlink_to("/")
    made_equal(opened, then, tree)
    assert [] == differences(str(both.base / "then"), str(tree))
    assert ["below", "linked", "many chunks", "new"] == displaced(tree)


def test_a_file_with_a_planted_name_is_not_written_into(stores: StoresOf, tree: Path) -> None:
    """What differs in it would show at the other name, outside."""
    both, opened, _, then = stores
    outside = Path(f"{tree} outside")
    with (tree / "many chunks").open("r+b") as file:
        file.write(b"other")
    os.link(tree / "many chunks", outside)
    was = outside.read_bytes()
    made_equal(opened, then, tree)
    assert [] == differences(str(both.base / "then"), str(tree))
    assert was == outside.read_bytes()


def test_a_damaged_chunk_is_named_and_the_rest_is_made(stores: StoresOf, tmpfs_dir: Path) -> None:
    """With its path and its name; a file that lacks some of it is not there."""
    both, opened, was, _ = stores
    shutil.copytree(Path(opened.vault).parent, tmpfs_dir / "home")
    damaged = Stores(str(tmpfs_dir / "home" / "catalog.db"), str(tmpfs_dir / "home" / "vault"))
    names = {}
    with damaged.opened() as (reader, _, _), VaultBeside.open_beside(damaged.vault) as vault:
        moment = MomentReader(reader, vault.read, was)
        for path in (b"gone/below/2", b"linked", b"large"):
            row = moment.at(path)
            assert row is not None
            chunk = next(moment.content(row))
            names[path] = chunk.name.hex()
            place = vault._index.places([chunk.name])[0][1]
            with open(path_of(os.path.join(damaged.vault, "packs"), place.pack), "r+b") as pack:
                pack.seek(place.offset + HEADER_SIZE + place.stored_length // 2)
                pack.write(b"damage")
    done = made_equal(damaged, was, tmpfs_dir / "to", in_place=False)
    told = {one.path: one.chunk for one in done.unmade}
    assert names | {b"kept/other name": ""} == told
    copied(both.base / "was", tmpfs_dir / "expected")
    for path in told:
        assert not (tmpfs_dir / "to" / os.fsdecode(path)).exists()
        (tmpfs_dir / "expected" / os.fsdecode(path)).unlink()
    found = differences(str(tmpfs_dir / "expected"), str(tmpfs_dir / "to"))
    assert [] == [one for one in found if "mtime" not in one]


@needs_root
def test_a_full_disk_in_the_middle(stores: StoresOf, tmpfs_dir: Path) -> None:
    """It says so, and goes on where it was when there is room."""
    both, opened, was, _ = stores
    with memory(tmpfs_dir / "small", "6m") as small:
        with pytest.raises(TryAgain, match="the disk is full"):
            made_equal(opened, was, small / "to", in_place=False)
        enlarge(small, "64m")
        done = made_equal(opened, was, small / "to", in_place=False)
        assert [] == differences(str(both.base / "was"), str(small / "to"))
        assert done.written < done.verified


@needs_root
def test_a_target_that_is_too_small_or_read_only(stores: StoresOf, tmpfs_dir: Path) -> None:
    """Both are said before anything is made; holes are counted as holes."""
    both, _, _, _ = stores
    with memory(tmpfs_dir / "small", "6m") as small:
        done = both.beta.run("restore", "web", "--generation", "was", "--to", str(small / "to"))
        assert (3, True) == (done.returncode, "it needs 10" in done.stderr and "free" in done.stderr), done.stderr
        assert [] == os.listdir(small)
        enlarge(small, "32m")
        assert 0 == both.beta.run("restore", "web", "--generation", "was", "--to", str(small / "to")).returncode
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        done = both.beta.run("restore", "web", "--generation", "was", "--to", str(small / "other"))
        assert (3, True) == (done.returncode, "its filesystem is read-only" in done.stderr), done.stderr


def test_what_changed_is_counted_before_it_is_made(stores: StoresOf, tree: Path) -> None:
    """Entries and bytes, of all of it or of a part: as many as are restored then."""
    _, opened, was, then = stores
    for parts in ((), (b"moved", b"kept")):
        with opened.opened() as (reader, read, _):
            need = needed(MomentReader(reader, read, was), Parts(parts), then, exactly=False)
        done = made_equal(opened, was, tree, parts, since=then)
        assert (need.entries, need.size) == (done.entries, done.size)
        assert need.entries > 0
        assert need.room >= need.size >= 5 * 5000


@needs_root
def test_in_place_needs_room_for_what_does_not_stand_there(stores: StoresOf, tmpfs_dir: Path) -> None:
    """What stands there is not counted, however little is free; what is gone is, also of what changed since; so is what a restore
    that was cut off has made."""
    both, opened, was, then = stores
    with memory(tmpfs_dir / "small", "64m") as small, opened.opened() as (reader, read, _):
        tree = small / "tree"
        copied(both.base / "then", tree)
        moment = MomentReader(reader, read, was)
        free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
        (small / "other").write_bytes(bytes(free - (3 << 20)))

        def refuse(since: CommitNumber | None = None) -> None:
            need = needed(moment, Parts(), since, exactly=False)
            refuse_small_in_place(str(tree), need, lambda: still_needed(moment, Parts(), str(tree), since))

        assert needed(moment, Parts(), exactly=False).room > LARGE
        refuse()
        refuse(then)
        (tree / "many chunks").rename(small / "elsewhere")
        refuse(then)
        with pytest.raises(Refused, match=r"it needs 4\.\d MiB, holes not counted, and [23]\.\d MiB are free"):
            refuse()
        ours = tree / ".hikae" / "restore" / "serial"
        ours.mkdir(parents=True)
        (small / "elsewhere").rename(ours / "new")
        refuse()


@needs_root
def test_a_source_without_room_is_left_as_it_is() -> None:
    """Said before anybody is asked, and with --changed-since too; what would come is counted there too."""
    with pair('[dataset.brake]\ndeleted = "100%"\n') as both, memory(both.source, "12m"):
        try:
            (both.source / "big").write_bytes(os.urandom(5 << 20))
            (both.source / "other").write_bytes(os.urandom(1 << 20))
            both.begin()
            both.beta.json("generations", "take", "web", "--label", "was")
            (both.source / "big").unlink()
            both.alpha.wait()
            both.beta.json("generations", "take", "web", "--label", "then")
            (both.source / "other").write_bytes(bytes(9 << 20))
            place = ("restore", "web", "--generation", "was", "--from", "beta", "--in-place")
            for more in ((), ("--changed-since", "then")):
                done = both.alpha.run(*place, *more)
                assert (3, True) == (done.returncode, "it needs 5.0 MiB, holes not counted" in done.stderr), done.stderr
            would = both.alpha.json(*place, "--changed-since", "then", "--dry-run")
            assert (1, 5 << 20) == (would["entries"], would["bytes"])
            assert not (both.source / "big").exists()
        finally:
            both.alpha.kill()


def test_names_of_generations_from_another_node(stores: StoresOf) -> None:
    """A name, as much of it as only one has, a label and latest~1 mean the same wherever they are typed."""
    both, _, _, _ = stores
    first, second = (one["generation"] for one in both.beta.json("generations", "list", "web"))
    pairs = enumerate(zip(first, second, strict=False))
    alike = next((at for at, (one, other) in pairs if one != other), len(first))
    words = ("restore", "web", "--from", "beta", "--to", "/none", "--dry-run", "--generation")
    for name in ("latest~1", "was", first, first[: alike + 1]):
        assert (name, first) == (name, both.alpha.json(*words, name)["moment"])
    compared = both.alpha.json("generations", "diff", "web", "latest~1", "latest")
    back = both.alpha.json("rollback", "web", "--generation", "latest~1", "--dry-run")
    assert (first, second, True) == (compared["from"], compared["to"], first in back["moment"])
    assert both.alpha.json("find", "web", "/new", "--since", "latest~1")


def test_from_another_node(stores: StoresOf, tmpfs_dir: Path) -> None:
    """The primary, which keeps no vault, restores from its standby's: to a directory, a part of it, and in place."""
    both, _, _, _ = stores
    refused = both.alpha.run("restore", "web", "--generation", "was", "--to", str(tmpfs_dir / "to"))
    assert (3, True) == (refused.returncode, "--from" in refused.stderr), refused.stderr
    both.alpha.json("restore", "web", "--generation", "was", "--from", "beta", "--to", str(tmpfs_dir / "to"))
    assert [] == differences(str(both.base / "was"), str(tmpfs_dir / "to"))
    file = tmpfs_dir / "file"
    both.alpha.json("restore", "web", "--generation", "was", "--from", "beta", "--to", str(file), "many chunks")
    assert (both.base / "was" / "many chunks").read_bytes() == file.read_bytes()
    (both.source / "new" / "written just before").write_text("it is kept")
    stood = copied(both.source, tmpfs_dir / "copy")
    before = (both.source / "large").stat().st_ino
    asked = both.alpha.run("restore", "web", "--generation", "was", "--from", "beta", "--in-place")
    assert (3, True) == (asked.returncode, "--yes" in asked.stderr), asked.stderr
    answer = both.alpha.json("restore", "web", "--generation", "was", "--from", "beta", "--in-place", "--yes")
    assert [] == differences(str(both.base / "was"), str(both.source))
    assert (2, before) == (answer["displaced"], (both.source / "large").stat().st_ino)
    both.beta.json("restore", "web", "--generation", answer["generation_before"], "--to", str(tmpfs_dir / "stood"))
    assert [] == differences(str(stood), str(tmpfs_dir / "stood"))
    assert 0 < answer["written_bytes"] <= 11 * 5000
    both.mirror()


@pytest.mark.parametrize(("wanted", "since"), [("then", "was"), ("was", "now")])
def test_only_what_changed_since_from_another_node(stores: StoresOf, tmpfs_dir: Path, wanted: str, since: str) -> None:
    """The same is restored that the node with the history restores itself, whichever of the two moments is the earlier."""
    both, _, _, _ = stores
    words = ("restore", "web", "--generation", wanted, "--changed-since", since, "--to")
    here = both.beta.json(*words, str(tmpfs_dir / "here"))
    afar = both.alpha.json(*words, str(tmpfs_dir / "afar"), "--from", "beta")
    assert [] == differences(str(tmpfs_dir / "here"), str(tmpfs_dir / "afar"))
    assert [here[key] for key in ("moment", "commit", "written_bytes")] == [
        afar[key] for key in ("moment", "commit", "written_bytes")
    ]


def test_another_node_that_will_not_do(stores: StoresOf, tmpfs_dir: Path) -> None:
    """Unknown, without such a generation, not there, or asked for what it cannot give."""
    both, _, _, _ = stores
    for words, code, told in (
        (("--generation", "was", "--from", "gamma"), 4, "the peers of alpha: beta"),
        (("--generation", "none", "--from", "beta"), 4, "no generation of web"),
        (("--from", "beta"), 2, "one of --generation and --at"),
        (("--generation", "was", "--from", "beta", "--changed-since", "none"), 4, "no generation of web"),
        (("--generation", "was", "--from", "beta", "--changed-since", "2001-01-01"), 4, "history reaches back to"),
    ):
        done = both.alpha.run("restore", "web", *words, "--to", str(tmpfs_dir / "to"))
        assert (code, True) == (done.returncode, told in done.stderr), done.stderr
    both.beta.kill()
    done = both.alpha.run("restore", "web", "--generation", "was", "--from", "beta", "--to", str(tmpfs_dir / "to"))
    assert (69, "") == (done.returncode, done.stdout), done.stderr
    assert not (tmpfs_dir / "to").exists()
