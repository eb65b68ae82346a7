"""The applier against a local user who owns one directory of the standby and exchanges names there while it works.

Each operation is raced by a process of its own: about a second in `make test`, 15 s in `make soak`. Nothing that is root's may
change or get a further name, whatever the applier says of his file. The control takes the comparison out and must be hit.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.apply.results import Held, silent
from agent.core.errors import HikaeError
from agent.core.ids import ROOT, ObjectId
from agent.fs.expected import BY_HANDLE, Expect
from agent.fs.xattrs import ACL_ACCESS
from fakes.apply_fakes import Rig, Tree, rig
from fakes.fs_fakes import acl_for
from fakes.swapping import USER, Swapping, state_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="exchanging root's files for another user's needs root")

SECONDS = 15.0 if int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) else 1.0
#: The control ends with the first hit.
CONTROL_SECONDS = 60.0

#: Changes the tree in which his directory and his file stand, the ``n``-th time.
Change = Callable[[Tree, ObjectId, int], None]


def _his(tree: Tree) -> ObjectId:
    return tree.names[tree.names[ROOT, b"his"], b"mine"]


def _alter(**fields: Callable[[int], object]) -> Change:
    return lambda tree, _, n: tree.alter(_his(tree), **{name: of(n) for name, of in fields.items()})


def _owned(tree: Tree, id: ObjectId) -> None:
    tree.alter(id, uid=USER, gid=USER)


def _made(make: Callable[[Tree, ObjectId], ObjectId]) -> Change:
    """The object under his name goes, and another of some type comes."""

    def change(tree: Tree, his: ObjectId, n: int) -> None:
        tree.remove(his, b"mine")
        if n % 2:
            _owned(tree, make(tree, his))

    return change


def _renamed(tree: Tree, his: ObjectId, n: int) -> None:
    here, there = ((his, b"mine"), (his, b"other")) if n % 2 else ((his, b"other"), (his, b"mine"))
    tree.move(here, there)
    tree.alter(tree.names[there], mode=stat.S_IFREG | (0o640 if n % 2 else 0o644))


def _linked(tree: Tree, his: ObjectId, n: int) -> None:
    if n % 2:
        tree.link(his, b"further", _his(tree))
    else:
        tree.remove(his, b"further")


def _unlinked(tree: Tree, his: ObjectId, n: int) -> None:
    if n % 2:
        tree.remove(his, b"mine")
    else:
        _owned(tree, tree.file(his, b"mine", b"again"))


def _written(tree: Tree, his: ObjectId, n: int) -> None:
    tree.link(his, b"other", _his(tree))  # what has two names is written in place
    tree.write(_his(tree), b"HIS %d" % n)


OPERATIONS: dict[str, Change] = {
    "create": _made(lambda tree, his: tree.file(his, b"mine", b"his new one")),
    "chmod": _alter(mode=lambda n: stat.S_IFREG | (0o640 if n % 2 else 0o4755)),
    "chown": _alter(gid=lambda n: USER + n % 2),
    "utimes": _alter(mtime=lambda n: 1_500_000_000_000_000_000 + n),
    "rename": _renamed,
    "unlink": _unlinked,
    "mkdir": _made(lambda tree, his: tree.directory(his, b"mine")),
    "symlink": _made(lambda tree, his: tree.add(his, b"mine", stat.S_IFLNK | 0o777, content=b"/etc/passwd")),
    "mknod": _made(lambda tree, his: tree.add(his, b"mine", stat.S_IFIFO | 0o600)),
    "link": _linked,
    "xattr": _alter(xattrs=lambda n: ((b"user.his", b"%d" % n),)),
    "acl": _alter(xattrs=lambda n: ((ACL_ACCESS, acl_for(USER, 6 + n % 2)),), mode=lambda n: stat.S_IFREG | 0o774),
    "write": _written,
}
#: Those that act on the object itself, and the step before that: without the comparison they act on whatever stands there.
COMPARED = {
    "chmod": "metadata",
    "chown": "metadata",
    "utimes": "metadata",
    "link": "link",
    "xattr": "metadata",
    "acl": "metadata",
    "write": "patch",
}
NOT_COMPARED = Expect(lambda _seen, _wanted: True)


def _begun(the: Rig) -> tuple[ObjectId, Tree]:
    tree = the.tree.copy()
    his = tree.directory(ROOT, b"his")
    _owned(tree, his)
    _owned(tree, tree.file(his, b"mine", b"his own"))
    return his, tree


def _awaited(file: Path, step: str) -> Callable[[str], None]:
    """Acts only once a file of root's stands under his name: a loaded machine may give him no turn of his own for a minute."""

    def wait(what: str) -> None:
        until = time.monotonic() + 1
        while what == step and file.lstat().st_uid == USER and time.monotonic() < until:
            pass

    return wait


def _race(
    the: Rig,
    change: Change,
    expect: Expect,
    seconds: float,
    *,
    directories: bool = False,
    before: Callable[[str], None] = lambda _step: None,
) -> list[str]:
    """Apply one change after the other while the names are exchanged; what became of root's files. ``before`` is called at each
    step of the applier."""
    his, tree = _begun(the)
    applier = the.applier(before, expect=expect)
    applier.converge(the.commit(tree), silent)
    until, rounds = time.monotonic() + seconds, 0
    with Swapping(the.root / "his", b"mine", directories=directories) as swapping:
        while time.monotonic() < until and not swapping.escaped():
            rounds += 1
            tree = the.tree.copy()
            change(tree, his, rounds)
            target = the.commit(tree)
            try:
                applier.converge(target, silent)
            except HikaeError as error:
                pytest.fail(f"one file stopped the standby: {error}")
            swapping.top_up()
        print(f"{rounds} rounds")
        return swapping.escaped()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_roots_stays_as_it_is(tmp_path: Path, operation: str) -> None:
    """Metadata, content and names of root's files, which stand under his name at any moment."""
    with rig(tmp_path) as the:
        directories = operation == "mkdir"
        assert [] == _race(the, OPERATIONS[operation], BY_HANDLE, SECONDS, directories=directories)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("operation", [operation for operation, step in COMPARED.items() if step == "metadata"])
def test_without_the_comparison_it_does_not(tmp_path: Path, operation: str) -> None:
    """The control: the same race is won by him when a handle is not compared."""
    with rig(tmp_path) as the:
        before = _awaited(the.root / "his" / "mine", COMPARED[operation])
        assert [] != _race(the, OPERATIONS[operation], NOT_COMPARED, CONTROL_SECONDS, before=before)


def _exchanged_before(the: Rig, operation: str, expect: Expect) -> str:
    """Root's file takes the place of his right before the operation's step; what became of it."""
    his, tree = _begun(the)
    OPERATIONS[operation](tree, his, 2 if operation == "link" else 0)
    directory, step = the.root / "his", [""]
    victim = directory / "victim"

    def exchange(what: str) -> None:
        if what == step[0]:
            step[0] = ""
            os.rename(directory / "mine", directory / "kept")
            os.rename(victim, directory / "mine")

    applier = the.applier(exchange, expect=expect)
    applier.converge(the.commit(tree), silent)
    victim.write_bytes(b"root's own")
    # Of another owner or mode it would not be written into, whatever is compared.
    his_own = (directory / "mine").stat()
    os.chown(victim, his_own.st_uid, his_own.st_gid)
    victim.chmod(stat.S_IMODE(his_own.st_mode))
    fd = os.open(victim, os.O_RDONLY)
    try:
        before = state_of(fd)
        step[0] = COMPARED[operation]
        tree = the.tree.copy()
        OPERATIONS[operation](tree, his, 1)
        applier.converge(the.commit(tree), silent)
        assert "" == step[0]
        after = state_of(fd)
        return "" if after == before and os.fstat(fd).st_nlink <= 1 else f"{before} became {after}"
    finally:
        os.close(fd)


@pytest.mark.parametrize("operation", COMPARED)
def test_an_exchange_between_look_and_act_is_noticed(tmp_path: Path, operation: str) -> None:
    """At the very moment, and not by chance."""
    with rig(tmp_path) as the:
        assert "" == _exchanged_before(the, operation, BY_HANDLE)


@pytest.mark.parametrize("operation", COMPARED)
def test_an_exchange_is_fatal_where_nothing_is_compared(tmp_path: Path, operation: str) -> None:
    """The control of the above."""
    with rig(tmp_path) as the:
        assert "" != _exchanged_before(the, operation, NOT_COMPARED)


def test_another_directory_under_our_name_is_left_alone(tmp_path: Path) -> None:
    """Who owns the standby's root gives a directory of root's the name of ours: nothing is made in it, its mode stays."""
    with rig(tmp_path) as the:
        (the.root / ".hikae").mkdir(parents=True)
        (the.root / ".hikae").chmod(0o755)
        os.chown(the.root, USER, USER)
        with pytest.raises(Held, match="not a directory of ours"):
            the.applier().prepare()
        assert (0o755, []) == (stat.S_IMODE((the.root / ".hikae").stat().st_mode), os.listdir(the.root / ".hikae"))
