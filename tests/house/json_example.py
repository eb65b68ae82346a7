"""``docs/json.md``: what programs read, by an example that the source makes."""

from __future__ import annotations

import json
import textwrap

from agent.core.commit import Commit
from agent.core.ids import NOTHING, commit_number
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import NESTED_MOUNT
from agent.core.standing import PeerStanding, Standing, Verified
from agent.status.facts import DatasetFacts, DiskFacts, NodeFacts, PeerFacts, WatchFacts
from agent.status.published import status_json
from agent.status.state import Role, State
from house import json_answers

_NOW = 1_795_320_900_000_000_000
_HOUR = 3_600 * 10**9
_WORDS = """# What programs read

Made from the source by `make pages`. Every reading command takes `--json` and answers with one JSON value. Times are ISO
8601 in UTC, sizes bytes, durations seconds; null is "not known", "never" or "none", as the key says. Keys may be added; none
is renamed or taken away without another `schema`. The admin socket gives the same values, and `state.json` beside it holds
`status` without names of files, for everybody.

Exit codes: 0 done; 1 failed or different; 2 wrong call; 3 refused; 4 not found; 69 agent or peer not reachable; 75 try
again; 77 not permitted; 78 configuration. `hikae check` has those of monitoring plug-ins: 0, 1, 2, 3.

`hikae status --json` on a primary:

{states}
- A peer's `received` and `applied`: all that was written before that moment is safe there, or in its tree there.
  `lag_seconds` is measured on one clock. `forecast_seconds` is how long `behind_bytes` takes at the rate of now; null where
  that is not known, and never where `forecast_never` says so. While `first_sync` has no `total_bytes` yet, `behind_bytes` is of
  what was read so far; while `behind_known` is false the peer has not said yet what it has, and it is of what was captured since
  this agent began. `state`, `hold`, `errors`, `warnings`, `worst`,
  `last_verify` and `sync` are what the peer says of itself, at `said`.
- `whole`, on a standby: whether its directory or device is there and equals a whole commit; health goes by it. `first_sync`:
  whether nothing whole was applied to it yet. Both are false on a primary. `opened` is false where the dataset is not open
  here: what it has is not known then, whatever the other keys say.
- `applied`, on a standby: the commit that its tree equals, `{"epoch", "seq", "time", "entries", "bytes", "until"}` (`time`,
  `entries` and `bytes` null where it is held no more; `until`: when the first commit was made that is here and not in the tree,
  null: there is none); `commit`, `entries` and `bytes` are those of the newest that it received. `pauses`: `by` is who
  asked for it, null where that is not known.
- `hold` names the node on which it is accepted (`accepted_on`, null where accepting does not end it), and the `generation` that
  the brake took before what is held began (null: none). `problems` have a code of [problems.md](problems.md); `uncounted` says
  how many more of a code there are.
- `history`, `vault`, `generations`: of the node with the vault; elsewhere of the peer that keeps most, as it told it: `node`
  is whose it is, `said` when that was heard (null: this node's own). Each peer has its own in `peers`. Null: not known.
- `reaches`: every moment since then can be brought back; `until`: the last of them, where a node was promoted since and adds none
  (null: until now); `wanted`, `bytes_per_day`: seconds that are configured, and how fast the vault grows. `oldest`, `newest`:
  when the generations were taken; `notes`: what became of some (`time`, `code`, `sentence`).
- `vault`: what it takes. `verified`: every chunk that is needed was read and checked since `since` (null: not all
  was yet); `damaged` chunks are lost now; `last` is what was read last, by schedule or by hand, with what was found and mended.
- `promotion`: null where no standby is kept. Each of `gates` is met (`ok`) or not, as found at `measured`, with what leads on
  (`remedy`). `loss`: changes that the primary announced and that did not arrive (`paths` and `sizes` of the first of `count`;
  `bytes` of all), and the `seconds` of which nothing was announced (null: not known). `rto_ms`: how long it would take (null: not
  known), `rto_hooks_ms` of it the operator's programs, as last time (null: they never ran here, and are not counted).
- `last_rehearsal`: how `hikae rehearse` ended last here: `{"time", "ok", "commit", "rto_ms", "exit", "output", "reason"}`; `exit`
  is null where the probe was killed at its deadline. null: there was none.
"""

_HISTORY = """
`hikae doctor --json`: `{"ok", "node", "findings": [{"name", "severity", "dataset", "message", "remedy"}]}`, worst first;
`severity` is `error`, `warning`, `unknown` (it could not be looked at, mostly without root), `info` or `good`; `ok` is false, and
the exit code 1, where one is an error or a warning. `node` is null where the configuration cannot be read.

What the commands of history answer, by examples, stands [below](#history).

`hikae generations list --json` and `show`: `own_bytes`: what the vault keeps for its commit alone, as it lies there;
`shared_bytes`: what of `bytes` other moments have too, as files hold it; both null where that would take too long to be counted.
`together`: the group's moment that it is part of. `incomplete`: files that never came whole, or were lost since.

`hikae generations expire --json`: `bytes`: what those that go keep of the vault, each counted alone (null: not counted). With
`--simulate`, `more`: older ones would stay too, too many to be told.

`hikae generations collect --json`: `bytes`: what the chunks that went had of the packs; `written`: for rewriting packs. With
`--dry-run`: packs that would be `dropped` whole, or `rewritten` (`bytes`: what is dead in them); `bytes`: what would come back
in all. What came after `since` is left for the next.

`hikae rollback --json`: `generation`: its name (null: a moment of the history); `generation_before`: what stood; `lost`: who may
have written although it was forced.

`hikae resync --vault --json`: `lacking`: chunks, counted with each version of a file that needs them; `obtainable`: those that
the newest state names too; `left`: those that could not be had yet; `incomplete`: generations that are not whole.

`hikae config check --json`: `{"ok", "files", "warnings"}`; where `ok` is false there is `mistakes`, a text each, and the exit
code is 78.

`hikae generations diff --json`: `{"from", "to", "added", "changed", "moved", "deleted", "entries", "more"}`.

- `from`, `to`: a generation's name, or the time of the moment; `from_commit` and `to_commit` are their commits. The four counts
  are of paths; a directory that moved is one, and one of which only the time differs is none.
- `entries`, by path: `{"what", "path", "from", "kind", "kind_before", "bytes", "bytes_before", "differs", "names"}`; `from` only
  of what moved, `kind_before` only where the type differs, `names` only where there are several. `differs` has words of `type
  content mode owner mtime xattrs flags`. `more`: entries that are not given.
- Of a device entries are extents, by where they lie: `{"what", "path", "kind", "start", "end", "bytes", "bytes_before"}` with the
  kind `extent`; `added` was zeros before, `deleted` is zeros now. `changed_bytes` is how much lies in all of them. With `--files`
  they are files, each with its `filesystem`, and `filesystems` has `{"filesystem", "kind", "why"}` of each that was looked for:
  `kind` is empty, and `why` says why, where it could not be mounted.

`hikae restore --json`: `{"moment", "time", "label", "dataset", "commit", "entries", "bytes", "written_bytes", "verified",
"target", "unmade", "incomplete", "displaced", "unmade_count", "incomplete_count"}`; `verified` are bytes whose chunks' names were
computed anew from what was read. Of a device `size` is how long it is, `bytes` what of it is no zeros, and `path` in `unmade`
says which bytes. With `--in-place` there are also `generation_before`, which keeps what stood before anything was written over
(null where none could be taken); `not_kept`, why none does or what of it is not in that one (null: nothing), for people; and
`generation_resumed`, which keeps what a restore found that went on after it was cut off (null for any other).

`hikae find --json`: an array of `{"path", "first", "last", "versions", "deleted", "kind", "bytes", "node", "history"}`.

- `first`, `last`: the first and last moment that has the path; `deleted`: the first moment after that, null while it stands.
- `history`, only without wildcards, is of each version, oldest first: `{"first", "last", "kind", "bytes", "mtime", "differs",
  "generation", "at", "command"}`. `differs` says in what from the one before; `generation`, or else `at`, names it; `command`
  brings it back, with a target for `FILE` or `DIR`.

A path is text to be read. Where that does not say which bytes it is, `path_hex` does.

## History

"""


def page() -> str:
    """The page."""
    status = f"{_WORDS.replace('{states}', _states())}\n```json\n{json.dumps(status_json(_node()), indent=2)}\n```\n"
    return f"{status}{_HISTORY}{json_answers.page()}"


def _states() -> str:
    """The words of ``state`` and of ``role``."""
    said = (
        f"- `state` is the first that is true of `{' '.join(State)}` ([status.md](status.md)); `role` is one of "
        f"`{' '.join(Role)}`."
    )
    return textwrap.fill(said, 119, subsequent_indent="  ", break_on_hyphens=False)


def _node() -> NodeFacts:
    disk = DiskFacts("/var/lib/hikae", 74 << 30, 252 << 30, 1 << 30)
    return NodeFacts(
        "alpha", "0.1.0", _NOW, (), (_dataset(),), _NOW + 365 * 24 * _HOUR, _NOW + 3650 * 24 * _HOUR, (disk,)
    )


def _dataset() -> DatasetFacts:
    mounted = "something is mounted here; it is replicated as an empty directory"
    return DatasetFacts(
        name="web",
        kind="tree",
        group=None,
        role=Role.PRIMARY,
        path="/srv/web",
        primary="alpha",
        standbys=("beta",),
        epoch=3,
        commit=Commit(
            commit_number(3, 1842), NOTHING, bytes(range(32)), _NOW - 10**9, _NOW - 10**9, True, 149, 77 << 20
        ),
        peers=(_peer(),),
        watch=WatchFacts("fanotify", "every change on the filesystem is told", 1742, 3, 0, _NOW - _HOUR),
        problems=(
            Problem(NESTED_MOUNT, Severity.WARNING, _NOW - _HOUR, b"mnt", mounted, "make it a dataset of its own"),
        ),
        since_ns=_NOW - _HOUR,
        time_ns=_NOW,
    )


def _peer() -> PeerFacts:
    told = Standing("streaming", verified=Verified(_NOW - 2 * _HOUR, True, True, 0))
    return PeerFacts(
        name="beta",
        version="0.1.0",
        connected=True,
        mode="streaming",
        durable=commit_number(3, 1842),
        applied=commit_number(3, 1842),
        lag_seconds=0.006,
        since_ns=_NOW - _HOUR,
        forecast_seconds=0.0,
        received_ns=_NOW,
        applied_ns=_NOW,
        told=PeerStanding(told, _NOW - 10**9),
    )
