"""At an opening: which local facts still hold beside this catalog? (Law 5.)

The catalog is durable at each commit and local facts are not, so a power cut can bring back facts of before the newest commits.
If the source lost the same writes, its stat is that of the old fact again, and the fact would vouch for a row that it knows
nothing of. So all that the catalog changed after the facts' mark is doubted: a walk reads these objects once. Facts of another
history, or of one that goes further than this catalog, are all doubted.

It can also bring back a new file with its old stat: fdatasync writes pages, and no time where the size stays; so does the kernel
in the middle of a sync. Then nothing on the disk tells it. What is written so is written again and again (databases, logs, images
of machines), so at the first opening after a boot all is doubted too that changed in the ten minutes before the newest commit,
by whatever clock there was then: see ``Lately``. A file that stood still for longer, and was written so in the very instant
before the cut, is not found by that (decision 0178).
"""

from __future__ import annotations

import structlog

from agent.core.clock import Clock, boot_id
from agent.core.commit import Commit
from agent.core.errors import NotFound
from agent.core.ids import ObjectId
from agent.core.rows import key_is_object, object_id_of_key
from agent.store.catalog.catalog import Catalog
from agent.store.local import FactsMark, Local

_log = structlog.get_logger("store")

_BOOT = "boot"
#: So long before the newest commit, in seconds.
LATELY = 600.0


class Lately:
    """Ten minutes before the lowest that the wall clock was in the last ten (twenty at most): what was changed in these has no
    ctime below that, whether the clock was put forward, or back, or is behind the newest commit, whose time never falls.

    Used by the thread that captures, whenever it writes facts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._before = self._lowest = self._moment()
        self._noted: int | None = None

    def due(self) -> int | None:
        """What is to be noted now, ns of the wall clock; None: what was noted last is low enough, and not much lower."""
        now, at = self._clock.monotonic(), self._moment()
        since = now - self._began
        if since >= LATELY:
            self._before = self._lowest if since < 2 * LATELY else at
            self._began, self._lowest = now, at
        self._lowest = min(self._lowest, at)
        lowest, noted = min(self._before, self._lowest), self._noted
        return None if noted is not None and noted <= lowest < noted + int(LATELY * 1e9) else lowest

    def noted(self, moment: int | None) -> None:
        """What was due was written; None: nothing was."""
        if moment is not None:
            self._noted = moment

    def _moment(self) -> int:
        return self._clock.now_ns() - int(LATELY * 1e9)


def facts_mark(commit: Commit) -> FactsMark:
    """The mark of facts that hold up to this commit."""
    return FactsMark(commit.number, commit.digest)


def doubt_what_may_be_older(local: Local, catalog: Catalog) -> None:
    """Leave only facts believed that hold at the catalog's newest commit, and mark them so. For who captures from then on.

    Raises as ``Local`` and ``Catalog``; done in part, it is done again by the next opening."""
    newest, mark, boot = catalog.newest(), local.mark(), boot_id().encode()
    before = local.value(_BOOT)
    if newest is not None:
        if mark is None or not _is_part_of(catalog, mark):
            _log.info("no local fact is believed: what they are of is not known here", path=local.path)
            local.doubt()
        else:
            if mark != facts_mark(newest):
                _doubt_since(local, catalog, mark, newest)
            if before is not None and (before != boot or not boot):
                lately = local.lately()
                bound = newest.time - int(LATELY * 1e9)
                local.doubt_changed_since(bound if lately is None else min(bound, lately))
        if mark != facts_mark(newest):
            local.write([], mark=facts_mark(newest))
    if before != boot:
        local.set_value(_BOOT, boot, durable=True)


def _is_part_of(catalog: Catalog, mark: FactsMark) -> bool:
    """Whether the marked commit is one of this history, and all that changed after it can still be named."""
    commit = catalog.commit_at(mark.number)
    return commit is not None and facts_mark(commit) == mark and catalog.is_readable(mark.number)


def _doubt_since(local: Local, catalog: Catalog, mark: FactsMark, newest: Commit) -> None:
    count = 0
    try:
        for keys in catalog.touched(mark.number, newest.number):
            ids = [ObjectId(object_id_of_key(key)) for key in keys if key_is_object(key)]
            if not ids:
                break  # objects come first
            gone = [id for id in ids if catalog.object(id) is None]
            local.doubt(ids)
            local.write([], gone)
            count += len(ids)
    except NotFound:
        local.doubt()
    _log.info("local facts are older than the catalog", path=local.path, read_again=count)
