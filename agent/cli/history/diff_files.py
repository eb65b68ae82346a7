"""``generations diff --files``: which files differ between two moments of a device, on the node that keeps its history."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from stat import S_IFMT
from tempfile import TemporaryDirectory

from agent.cli.history.restore_sources import dataset_named
from agent.cli.output import remark
from agent.config import load
from agent.core.errors import Exit, HikaeError, NotPermitted, Refused, UsageError
from agent.generations.any_moment import any_moment
from agent.generations.comparing import device_files
from agent.generations.comparing.device_files import OPERATION, Line
from agent.generations.lease import leased
from agent.generations.moments import Moment, Watching
from agent.generations.mounting.fuse import require_fuse
from agent.operations.comparing import KINDS
from agent.operations.declaration import Json
from agent.status.figures import stamp
from agent.status.text import shown
from agent.store.catalog.reader import CatalogReader

#: Entries in one JSON answer, which is made whole.
_MOST = 100_000


@dataclass(slots=True)
class FileDifferences:
    """What came of it; ``say`` is given each entry, in words of a diff."""

    say: Callable[[Json], None]
    counts: Counter[str] = field(default_factory=Counter)
    entries: list[Json] = field(default_factory=list)
    filesystems: list[Json] = field(default_factory=list)

    def take(self, line: Line) -> None:
        """A line of the program that compares."""
        if "what" not in line:
            self.filesystems.append(line)
            what = f"{line['kind']}" if line["kind"] else line["why"]
            remark(f"{line['filesystem']}: {what}")
            return
        self.counts[line["what"]] += 1
        kind = KINDS.get(S_IFMT(line.pop("mode")), "unknown")
        entry: Json = {**line, "path": shown(line["path"]), "kind": kind, "differs": []}
        self.entries += [entry] if len(self.entries) < _MOST else []
        self.say(entry)


def diff_files(config: str, dataset: str, old: str, new: str, say: Callable[[Json], None]) -> Json:
    """What ``generations diff`` answers, of files. Raises ``UsageError`` for a tree, ``NotPermitted``,
    ``Refused`` where another node keeps the history, and as ``any_moment``."""
    settings = load(config)
    found = dataset_named(settings, dataset)
    if not found.is_device:
        raise UsageError(OPERATION, dataset, "it is a tree, whose files are told anyhow", "leave --files out")
    if os.geteuid():
        raise NotPermitted(OPERATION, dataset, "only root may mount both moments", "use sudo")
    catalog, vault = str(settings.home(dataset) / "catalog.db"), str(settings.vault(found))
    if not os.path.exists(os.path.join(vault, "index.db")):
        nodes = " or ".join(name for name in (found.primary, *found.standby) if name != settings.node.name)
        raise Refused(OPERATION, dataset, "this node keeps no history of it", f"type it on {nodes}")
    require_fuse()
    with ExitStack() as stack:
        reader = stack.enter_context(CatalogReader.open(catalog))
        moments = [any_moment(reader, dataset, said, Watching(time.time_ns())) for said in (old, new)]
        for moment in moments:
            remark(moment.sentence())
            stack.enter_context(leased(reader, moment.number, f"hikae generations diff, process {os.getpid()}"))
        place = stack.enter_context(TemporaryDirectory(prefix="hikae-diff-", ignore_cleanup_errors=True))
        differences = FileDifferences(say)
        for line in _lines([catalog, vault, *(str(int(moment.number)) for moment in moments), place]):
            differences.take(line)
    return _answer(moments, differences)


def _lines(words: list[str]) -> Iterator[Line]:
    """What the program says. Raises ``HikaeError`` where it came to no end."""
    command = [sys.executable, "-m", device_files.__name__, *words]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for text in process.stdout:
            line: Line = json.loads(text)
            if line.get("end"):
                return
            yield line
    raise HikaeError(OPERATION, "", "it came to no end; what it said stands above", "try it again")


def _answer(moments: list[Moment], found: FileDifferences) -> Json:
    answer: Json = {}
    for which, moment in zip(("from", "to"), moments, strict=True):
        answer |= {which: moment.name or stamp(moment.time), f"{which}_sentence": moment.sentence()}
    counts = {what: found.counts[what] for what in ("added", "changed", "moved", "deleted")}
    more = found.counts.total() - len(found.entries)
    return {**answer, **counts, "entries": found.entries, "more": more, "filesystems": found.filesystems}


def code_of(answer: Json) -> int:
    """1 where no filesystem could be compared."""
    return Exit.DONE if any(one["kind"] for one in answer["filesystems"]) else Exit.FAILED
