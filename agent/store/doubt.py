"""At an opening: which local facts still hold beside this catalog? (Law 5.)

The catalog is durable at each commit and local facts are not, so a power cut can bring back facts of before the newest commits.
If the source lost the same writes, its stat is that of the old fact again, and the fact would vouch for a row that it knows
nothing of. So all that the catalog changed after the facts' mark is doubted: a walk reads these objects once. Facts of another
history, or of one that goes further than this catalog, are all doubted.
"""

from __future__ import annotations

import structlog

from agent.core.commit import Commit
from agent.core.errors import NotFound
from agent.core.ids import ObjectId
from agent.core.rows import key_is_object, object_id_of_key
from agent.store.catalog.catalog import Catalog
from agent.store.local import FactsMark, Local

_log = structlog.get_logger("store")


def facts_mark(commit: Commit) -> FactsMark:
    """The mark of facts that hold up to this commit."""
    return FactsMark(commit.number, commit.digest)


def doubt_what_may_be_older(local: Local, catalog: Catalog) -> None:
    """Leave only facts believed that hold at the catalog's newest commit, and mark them so.

    Raises as ``Local`` and ``Catalog``; done in part, it is done again by the next opening."""
    newest, mark = catalog.newest(), local.mark()
    if newest is None or mark == facts_mark(newest):
        return
    if mark is None or not _is_part_of(catalog, mark):
        _log.info("no local fact is believed: what they are of is not known here", path=local.path)
        local.doubt()
    else:
        _doubt_since(local, catalog, mark, newest)
    local.write([], mark=facts_mark(newest))


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
