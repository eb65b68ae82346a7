"""The gates of a promotion: what must be so before a standby becomes the primary. Pure over what its node knows.

No gate compares with a value that the primary's death froze: how far behind the standby was is judged as it was when the primary
last said so, and how old that word is stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.config.values import Hooks, Promote
from agent.core.commit import Commit
from agent.core.hold import ACCEPTED, OF_COMMIT, Hold
from agent.core.ids import shown_commit
from agent.core.problem_codes import LINEAGE_WAITS
from agent.core.standing import Rehearsed, Verified
from agent.status.figures import clock_text, span_text, stamp
from agent.status.promotion import Gate
from agent.steps.at_boot import NOT_LOOKED, BootSeen
from agent.steps.programs import MISSING_REMEDY, THERE, are_brought, missing_sentence

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LastWord:
    """What the primary said last of how far this standby has come, at ``at`` (UTC ns, by this node's clock). ``lag``: seconds
    from a change there until it was durable here, as measured there; None: not measured yet."""

    at: int
    lag: float | None


@dataclass(frozen=True, slots=True)
class PrimarySeen:
    """Whether the primary serves, as far as this node knows at ``at`` (UTC ns). ``connected``: it calls now; ``answered``: what
    it, or another node that hears it, said when it was asked just now, "" where nobody did; ``stopped``: the state in which it
    lives and serves nothing, ``rewound`` or ``fenced``, as it says itself, "" for none."""

    name: str
    connected: bool
    at: int | None
    answered: str = ""
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class OtherStandby:
    """Another standby of the dataset that answered, with its newest commit; ``ahead``: it has commits that this node has not."""

    name: str
    ahead: bool
    commit: str


@dataclass(frozen=True, slots=True)
class StandbyView:
    """What a standby knows of itself at ``now`` (UTC ns). ``kept_since``: since when this node keeps a standby, 0 before it
    does; ``clock``: what is wrong with it, "" if nothing is; ``boot``: what the start hook starts and the service manager
    would start by itself; ``missing``: the hooks of ``BEGINS`` whose program is not there, each with that; ``prepared``: whether
    before_promote has run, which may bring it; ``shortage``: why no room is left, "" where there is; ``others``: of the other
    standbys, those that answered; ``seeding``: how much of what stands here its vault has, "" where that is all; ``filled``:
    whether its first sync goes on, and not all of that was received."""

    dataset: str
    now: int
    primary: PrimarySeen
    promote: Promote
    hooks: Hooks
    commit: Commit | None = None
    owed: int = 0
    hold: Hold | None = None
    word: LastWord | None = None
    verified: Verified | None = None
    kept_since: int = 0
    clock: str = ""
    boot: BootSeen = NOT_LOOKED
    missing: tuple[tuple[str, str], ...] = ()
    prepared: bool = False
    shortage: str = ""
    seeding: str = ""
    filled: bool = False
    others: tuple[OtherStandby, ...] = field(default=())
    rehearsed: Rehearsed | None = None


def promotion_gates(view: StandbyView) -> tuple[Gate, ...]:
    """Each gate of a promotion, met or not, in the order in which they are shown."""
    return tuple(gate(view) for gate in GATES)


def _consistent(view: StandbyView) -> Gate:
    commit = view.commit
    if commit is None:
        value, ok = "nothing has been received", False
    elif commit.consistent:
        value, ok = f"commit {shown_commit(commit.number)} is whole", True
    else:
        value, ok = f"commit {shown_commit(commit.number)} is of a first sync, or of a doubt that is not settled", False
    remedy = f"wait for the first sync, or name a moment that was whole: hikae generations list {view.dataset}"
    return Gate("consistent", ok, value, "whole", view.now, "" if ok else remedy, or_moment=True)


def _owed(view: StandbyView) -> Gate:
    value = f"{view.owed:,} files, or chunks of a device, are not all here" if view.owed else "nothing is owed"
    remedy = "hikae status names them: they could not be read on the primary; --force goes without them"
    return Gate("owed", not view.owed, value, "0", view.now, remedy if view.owed else "")


def _hold(view: StandbyView) -> Gate:
    hold = view.hold
    if hold is None:
        return Gate("hold", True, "nothing is held", "none", view.now, "")
    return Gate("hold", False, hold.sentence, "none", view.now, _past_hold(view, hold), hold.code in OF_COMMIT)


def _past_hold(view: StandbyView, hold: Hold) -> str:
    """What leads on: neither accept nor an earlier moment ends what is wrong with the place itself."""
    earlier = f"name a moment from before: hikae promote {view.dataset} --at MOMENT --force"
    if hold.code in ACCEPTED:
        return f"hikae accept {view.dataset} if it is meant; or {earlier}"
    if hold.code == LINEAGE_WAITS:
        return f"it goes on by itself once {view.primary.name} is through; or {earlier}"
    return hold.remedy or "hikae status says what it waits for"


def _lag(view: StandbyView) -> Gate:
    limit, word = span_text(view.promote.max_lag), view.word
    if view.filled:
        remedy = "wait for the first sync: hikae status says how far it is"
        return Gate("lag", False, "a first sync is under way: most may be missing", limit, view.now, remedy)
    if word is None or word.lag is None:
        value = f"{view.primary.name} has not said how far behind this standby is"
        remedy = "a primary that lives says so within seconds; of one that is gone: look at loss, and add --force"
        return Gate("lag", False, value, limit, None, remedy)
    ok = word.lag <= view.promote.max_lag
    value = f"{span_text(word.lag)}, as {view.primary.name} said {_ago(view.now - word.at)}"
    remedy = "" if ok else "hikae status shows what it waits for; or raise [dataset.promote] max_lag"
    return Gate("lag", ok, value, limit, word.at, remedy)


def _verified(view: StandbyView) -> Gate:
    limit, found = span_text(view.promote.verified_within), view.verified
    remedy = f"hikae verify {view.dataset}"
    if found is not None and not found.equal:
        value = f"{found.differences:,} differences {_ago(view.now - found.time)}"
        return Gate("verified", False, value, limit, found.time, f"{remedy} --repair")
    since = found.time if found is not None else view.kept_since
    if not since:
        return Gate("verified", False, "never", limit, None, remedy)
    ok = view.now - since <= view.promote.verified_within * SECOND_NS
    # What was received was named and checked on its way in: a standby that is young needs no verify yet.
    value = f"equal {_ago(view.now - since)}" if found is not None else f"never; made {_ago(view.now - since)}"
    measured = found.time if found is not None else None
    return Gate("verified", ok, value, limit, measured, "" if ok else remedy)


def _primary(view: StandbyView) -> Gate:
    seen = view.primary
    limit = f"{seen.name} does not answer"
    if seen.stopped:
        value = f"{seen.name} lives and is {seen.stopped}: it serves nothing, and a switchover needs one that does"
        return Gate("primary", False, value, limit, view.now, _past_stopped(view))
    if seen.answered or seen.connected:
        value = seen.answered or f"{seen.name} is connected"
        return Gate("primary", False, value, limit, view.now, f"while it lives: hikae switchover {view.dataset}")
    value = f"not seen since {_clock(seen.at, view.now)}" if seen.at else "not seen since this agent began"
    return Gate("primary", True, value, limit, seen.at, "")


def _past_stopped(view: StandbyView) -> str:
    """What leads on where the primary lives and may not serve."""
    name, dataset = view.primary.name, view.dataset
    here = f"if this node is to go on: hikae promote {dataset} --force, then on {name}: hikae rejoin {dataset}"
    return f"{here}; if {name} is: on {name}: hikae status says how"


def _ahead(view: StandbyView) -> Gate:
    ahead = [one for one in view.others if one.ahead]
    if ahead:
        value = "; ".join(f"{one.name} has {one.commit}" for one in ahead)
        remedy = f"on {ahead[0].name}: hikae promote {view.dataset}"
        return Gate("ahead", False, value, "no standby is ahead", view.now, remedy)
    names = ", ".join(one.name for one in view.others)
    return Gate(
        "ahead", True, f"not {names}" if names else "no other that answers", "no standby is ahead", view.now, ""
    )


def _clock_sane(view: StandbyView) -> Gate:
    remedy = "timedatectl on both nodes; set the clock that is wrong" if view.clock else ""
    return Gate("clock", not view.clock, view.clock or "as the peers'", "within a minute", view.now, remedy)


def _hooks(view: StandbyView) -> Gate:
    start = view.hooks.start
    if start is None:
        remedy = 'write start = ["systemctl", "start", UNIT], or "none", below [dataset.hooks]; then: hikae reload'
        return Gate("hooks", False, "no start hook is named", 'named, or "none"', view.now, remedy)
    if view.missing and not view.prepared and are_brought(view.hooks):
        value = f"{missing_sentence(view.missing)}, before before_promote has run; it is looked for again then"
        return Gate("hooks", True, value, THERE, view.now, "")
    if view.missing:
        # After the epoch was raised it would be too late to find that.
        return Gate("hooks", False, missing_sentence(view.missing), THERE, view.now, MISSING_REMEDY)
    value = f"start runs {start.run[0]}" if start.run else 'start = "none"'
    return Gate("hooks", True, value, 'named, or "none"', view.now, "")


def _boot(view: StandbyView) -> Gate:
    boot, units = view.boot, ", ".join(view.boot.units)
    if units:
        value = f"{units} would start at boot, whoever is the primary"
        return Gate("boot", False, value, "nothing", boot.at, f"systemctl disable {' '.join(boot.units)}")
    # What cannot be seen keeps nobody from a promotion, and is not claimed either.
    return Gate("boot", True, boot.unsaid or "nothing starts by itself", "nothing", boot.at, "")


def _space(view: StandbyView) -> Gate:
    remedy = "free space there; hikae status names the disk" if view.shortage else ""
    return Gate("space", not view.shortage, view.shortage or "above the reserve", "the reserve", view.now, remedy)


def _seeding(view: StandbyView) -> Gate:
    remedy = "wait until the vault has all that stands here; --force goes without: moments that lack something say so"
    value = view.seeding or "the vault has all that stands here"
    return Gate("seeding", not view.seeding, value, "all", view.now, remedy if view.seeding else "")


def _rehearsed(view: StandbyView) -> Gate:
    within, found = view.promote.rehearsed_within, view.rehearsed
    limit = span_text(within) if within else "not asked"
    measured = found.time if found is not None else None
    value = "never" if found is None else f"{'went well' if found.ok else 'failed'} {_ago(view.now - found.time)}"
    recent = found is not None and found.ok and view.now - found.time <= within * SECOND_NS
    ok = not within or recent
    return Gate("rehearsed", ok, value, limit, measured, "" if ok else f"hikae rehearse {view.dataset}")


#: One function a gate. A further one is a function more.
GATES: tuple[Callable[[StandbyView], Gate], ...] = (
    _primary,
    _consistent,
    _owed,
    _hold,
    _lag,
    _verified,
    _rehearsed,
    _ahead,
    _clock_sane,
    _hooks,
    _boot,
    _space,
    _seeding,
)


def _ago(ns: int) -> str:
    return f"{span_text(max(0, ns) // SECOND_NS)} ago"


def _clock(moment: int, now: int) -> str:
    """When that was, in local time."""
    return clock_text(stamp(moment) or "", stamp(now) or "")
