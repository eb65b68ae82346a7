"""One restore, from an open target to what was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.apply.ports import LeftOut
from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.fs.confined import make_dir, open_dir
from agent.fs.dir_tree import DirTree
from agent.fs.metadata import apply_metadata
from agent.generations.reading import MomentReader
from agent.generations.restore.asked import Parts
from agent.generations.restore.changed import walk_changed
from agent.generations.restore.crew import Crew
from agent.generations.restore.finishing import finish
from agent.generations.restore.making import EntryMaker
from agent.generations.restore.results import Done, Unmade, Work
from agent.generations.restore.scratch import RestoreScratch
from agent.generations.restore.target import Target
from agent.generations.restore.walk import RestoreRun, path_below, walk


@dataclass(frozen=True, slots=True)
class Restoration:
    """What is brought back: the moment, which stays readable meanwhile, by which words the crew opens its stores, and which parts
    of it. ``left_out``: what in the target is not the dataset's; ``look``: called now and then with what is done so far; it
    raises what is to end the restore. ``since``: only what differs between that commit and the moment is made; None: all."""

    moment: MomentReader
    words: tuple[str, ...]
    parts: Parts
    left_out: LeftOut
    look: Callable[[Done], None]
    since: CommitNumber | None = None


def restore_into(target: Target, wanted: Restoration, crew: Crew, serial: str) -> Done:
    """Make the target as the moment was, and durable. ``serial``: no other restore's.

    What could not be made is in the result, and the rest goes on. Raises ``TryAgain`` (disk full), ``StoreFailed``, ``Damaged``
    (the catalog): then it goes on where it was when it is asked for again."""
    done, scratch, failed = Done(), RestoreScratch(), set[tuple[ObjectId, bytes]]()
    moment = wanted.moment
    owes_any = moment.catalog.owed_count(moment.number) > 0
    maker = EntryMaker(_own_directory(target.ours, serial.encode()), target.displaced, moment.chunk, serial)
    dirs = DirTree(target.root, lambda id: next(iter(moment.catalog.names_of(id, moment.number)), None))
    run = RestoreRun(
        moment,
        wanted.parts,
        target.root,
        dirs,
        crew,
        maker,
        scratch,
        done,
        wanted.left_out,
        lambda: wanted.look(done),
        owes_any,
    )

    def took(work: Work) -> None:
        # Of a large file each stretch that lacks something says so.
        work.unmade = [one for one in work.unmade if one[:2] not in failed]
        failed.update(one[:2] for one in work.unmade if one[4])
        _add(run, work)

    try:
        crew.begin(wanted.words, moment.number, (target.root, target.ours, target.displaced, target.lock), serial, took)
        if wanted.since is None:
            walk(run, target.fresh)
        else:
            walk_changed(run, wanted.since)
        finish(run, failed)
        _add(run, maker.work)
        target.finish()
        _root(run, target)
    finally:
        dirs.close()
        scratch.close()
    return done


def _own_directory(ours: int, name: bytes) -> int:
    try:
        make_dir(ours, name)
    except FileExistsError:
        pass
    return open_dir(ours, name)


def _add(run: RestoreRun, work: Work) -> None:
    done = run.done
    done.entries += work.entries
    done.size += work.size
    done.written += work.written
    done.verified += work.verified
    done.displaced += work.displaced
    for directory, name, reason, chunk, left_out in work.unmade:
        path = run.moment.catalog.path_of(directory, run.moment.number) or b""
        done.not_made(Unmade(path_below(path, name) if name else path, reason, chunk, left_out))
    run.look()


def _root(run: RestoreRun, target: Target) -> None:
    """The target itself is the moment's root, where all of it was asked for."""
    row = run.moment.object(ROOT)
    if row is None or not run.parts.is_whole:
        return
    refused = apply_metadata(target.root, b"", row, None)
    if refused:
        run.done.not_made(Unmade(b"", f"without its {', '.join(refused)}", left_out=False))
    target.settle()
