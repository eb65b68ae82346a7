"""The published value in words, one dataset at a time: what the page and ``check`` say."""

from __future__ import annotations

import re

from agent.core.hold import LOST
from agent.core.problem_codes import DEVICE_BUSY, UNCONFIRMED
from agent.core.standing import FIRST_SYNC
from agent.status.figures import clock_text, rate_text, size_text, span_text
from agent.status.published import Json
from agent.status.state import Grade, Role, State, grade_of, rank

#: The watchers that see everything, of a tree and of a device; of any other it is said which it is, and why it is not that one.
BEST_WATCHERS = ("fanotify", "blocktrace")


def sorted_datasets(status: Json) -> list[Json]:
    """The datasets, worst first by how much they concern somebody, then by state, then by name."""
    return sorted(status["datasets"], key=lambda one: (*_badness(one), one["name"]))


def _badness(dataset: Json) -> tuple[int, int]:
    """A pause that was asked for is not worse than an error, whatever the words of the two states are."""
    state = State(dataset["state"])
    troubled = _worst(dataset, "error") is not None or any(peer["errors"] for peer in said_now(dataset))
    grade = Grade.BAD if troubled and grade_of(state) is not Grade.BAD else grade_of(state)
    return {Grade.BAD: 0, Grade.WATCH: 1, Grade.GOOD: 2}[grade], rank(state)


def way(status: Json, dataset: Json) -> str:
    """Who serves and who keeps the copy: ``primary on alpha → beta``."""
    node, role = status["node"], dataset["role"]
    if role == Role.PRIMARY:
        others = ", ".join(dataset["standbys"])
        return f"primary on {node} → {others}" if others else f"primary on {node}, no standby"
    if role == Role.STANDBY:
        return f"standby on {node} ← {dataset['primary']}"
    return f"{role} on {node}"


#: Of a dataset of which a rehearsal goes on, here or on a peer.
UNDER_REHEARSAL = "a rehearsal is under way: what comes is received, and applied when it has ended"


def detail(status: Json, dataset: Json) -> str:
    """What there is to know in this state, with what to do where something is to be done."""
    state = dataset["state"]
    if not dataset.get("opened", True):
        return problem_text(dataset) or not_open_text(dataset)
    if state == State.HELD and dataset["hold"]:
        return hold_text(status, dataset["hold"], dataset["name"], dataset["primary"])
    if state == State.PAUSED:
        return _joined(_paused(status, dataset), last_heard(status, dataset))
    if state == State.UNCONFIRMED:
        return _unconfirmed(dataset)
    if state == State.MOVING:
        return moving_text(dataset)
    if state == State.REHEARSING:
        return UNDER_REHEARSAL
    if state == State.FIRST_SYNC and not _worst(dataset, "error"):
        behind = ", ".join(peer_behind(peer) for peer in dataset["peers"] if peer["connected"])
        return _joined(sync_text(dataset["sync"]) or behind, pace_text(status, dataset))
    problem = problem_text(dataset)
    if state == State.DISCONNECTED:
        return _without_link(status, dataset, problem)
    if problem:
        standing = [peer for peer in dataset["peers"] if peer["rate_limit"] == 0]
        return f"{problem}; {pace_text(status, dataset)}" if standing else problem
    if state in (State.CATCHUP, State.BEHIND):
        return _joined(_behind(dataset), pace_text(status, dataset))
    return _joined(_steady(status, dataset), pace_text(status, dataset))


def not_open_text(dataset: Json) -> str:
    """Of a dataset that its node could not open, or not yet: what cannot be known then is not guessed, nor promotion advised."""
    takes_over = ", and it cannot take over" if dataset["role"] == Role.STANDBY else ""
    return f"it is not open here: until then nothing is replicated, what stands here is not known{takes_over}"


def moving_text(dataset: Json) -> str:
    """What is under way, here or on a peer, and where it is."""
    moving = dataset["moving"]
    if moving is None:
        names = ", ".join(peer["name"] for peer in said_now(dataset) if peer["state"] == State.MOVING)
        return f"a change of its role is under way on {names}"
    step = f", at the step {moving['step']}" if moving["step"] else ""
    return f"{moving['what']} is under way{step}"


def position(dataset: Json) -> str:
    """``commit 3.1842``, or that there is none."""
    commit = dataset["commit"]
    return f"commit {commit['epoch']}.{commit['seq']}" if commit else "no commit yet"


def problem_text(holder: Json) -> str:
    """The worst problem of a dataset or node with its remedy, and how many more there are; else the worst that a connected peer
    tells of; "" for none."""
    problem = _worst(holder, "error") or _worst(holder, "warning")
    told = peer_problem_text(holder)
    if not problem or (told and problem["severity"] == "warning" and any(peer["errors"] for peer in said_now(holder))):
        return told
    where = f"{problem['path']}: " if problem["path"] else ""
    remedy = f": {problem['remedy']}" if problem["remedy"] else ""
    troubling = sum(1 for one in holder["problems"] if one["severity"] != "info")
    more = troubling - 1 + sum(holder.get("uncounted", {}).values())
    # Of the node itself all are on the page.
    shows = f"hikae status {holder['name']}" if "name" in holder else "hikae status"
    return f"{where}{problem['message']}{remedy}" + (f" (and {more:,} more: {shows})" if more else "")


def sync_text(sync: Json | None) -> str:
    """``31 %, 1.2 GiB of 3.9 GiB, 1,200 of 5,000 entries, about 2 min 5 s left``, as far as known."""
    if sync is None:
        return ""
    parts = []
    first, total = sync.get("phase") == FIRST_SYNC, sync["total_bytes"]
    if total:
        parts.append(f"{100 * min(sync['done_bytes'], total) // total} %")
    if total or (first and total is not None):
        parts.append(f"{size_text(sync['done_bytes'])} of {size_text(total)}")
    elif first:
        # Whether anybody counts that now is not told: he may be held, away, or wait for his hour.
        parts.append(f"{size_text(sync['done_bytes'])} there, of how much is not known yet")
    else:
        parts.append(size_text(sync["done_bytes"]))
    if sync["total_entries"] and sync["done_entries"]:
        parts.append(f"{sync['done_entries']:,} of {sync['total_entries']:,} entries")
    elif sync["total_entries"]:
        parts.append(f"{sync['total_entries']:,} entries")
    elif sync["done_entries"]:
        parts.append(f"{sync['done_entries']:,} entries")
    if sync["eta_seconds"] is not None:
        parts.append(f"about {span_text(sync['eta_seconds'])} left")
    return ", ".join(parts)


def pace_text(status: Json, dataset: Json) -> str:
    """``first sync waits until 22:00``, ``limited to 80 MB/s``; with the peer's name where there are several; "" without
    limits."""
    several = len(dataset["peers"]) > 1
    parts = []
    for peer in dataset["peers"]:
        if peer["rate_limit"] is not None:
            parts.append((f"{peer['name']}: " if several else "") + _pace(status, peer))
    return ", ".join(parts)


def lag_seconds(dataset: Json) -> float | None:
    """The greatest measured lag of its peers."""
    lags = [peer["lag_seconds"] for peer in dataset["peers"] if peer["lag_seconds"] is not None]
    return max(lags, default=None)


def _pace(status: Json, peer: Json) -> str:
    if peer["rate_limit"]:
        return f"limited to {rate_text(peer['rate_limit'])} ([dataset.limits] on {status['node']})"
    what = "first sync" if peer["limited_by"] == "first_sync" else "sending"
    until = f" until {clock_text(peer['waits_until'], status['clock'])}" if peer["waits_until"] else ""
    return f"{what} waits{until}"


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _worst(holder: Json, severity: str) -> Json | None:
    for problem in holder["problems"]:
        if problem["severity"] == severity:
            found: Json = problem
            return found
    return None


def said_now(holder: Json) -> list[Json]:
    """The peers whose last word is how they are now."""
    return [peer for peer in holder.get("peers", ()) if peer["connected"] and peer["said"]]


def codes_told(dataset: Json) -> set[str]:
    """The codes of the problems that are told of a dataset: those of this node, and the worst of each that says how it is now."""
    said = {peer["worst"]["code"] for peer in said_now(dataset) if peer["worst"] is not None}
    return said.union(problem["code"] for problem in dataset["problems"])


def peer_problem_text(holder: Json) -> str:
    """``beta says: the vault is damaged: …, on beta (and 2 more there)``; "" while no connected peer tells of any."""
    for peer in sorted(said_now(holder), key=lambda one: (-one["errors"], -one["warnings"])):
        worst, count = peer["worst"], peer["errors"] + peer["warnings"]
        if not count:
            continue
        words = "it has problems" if worst is None else worst["message"] or worst["code"]
        remedy = "" if worst is None else _typed_there(peer["name"], worst["remedy"])
        more = f" (and {count - 1:,} more there)" if count > 1 else ""
        return f"{peer['name']} says: {words}{remedy}{more}"
    return ""


#: How a remedy begins that is typed elsewhere than on the node whose problem it ends.
_PLACE = re.compile(r"on (the machine with DIR/ca\.key|both nodes|[A-Za-z0-9][\w.-]*): ")


def placed(remedy: str) -> tuple[str, str]:
    """Where a remedy says in front that it is typed, "" where it says nothing, and the rest."""
    place = _PLACE.match(remedy)
    return (place[1], remedy[place.end() :]) if place else ("", remedy)


def _typed_there(peer: str, remedy: str) -> str:
    on, rest = placed(remedy)
    return f"; on {on or peer}: {rest}" if rest else ""


def back_to_before(hold: Json, dataset: str) -> str:
    """What brings the tree back to before what is held: to what the brake kept, where it kept something."""
    kept = hold.get("generation")
    return f"hikae rollback {dataset} --generation {kept}" if kept else f"hikae rollback {dataset} --at TIME"


def hold_text(status: Json, hold: Json, dataset: str, primary: str = "") -> str:
    """Why it is held and what leads on; of another node's hold also where to type that. ``primary``: where a tree goes back."""
    here = hold["node"] == status["node"]
    sentence = hold["sentence"] if here else f"{hold['node']} is held: {hold['sentence']}"
    on = "" if here else f"on {hold['node']}: "
    if hold["code"] in LOST:
        back = f"on {primary}: " if primary and primary != status["node"] else ""
        return f"{sentence}; if it was not meant: {back}{back_to_before(hold, dataset)}; if it was: {on}hikae accept {dataset}"
    remedy = hold["remedy"] or f"hikae accept {dataset}, if that is meant"
    return f"{sentence}: {remedy}" if here else f"{sentence}; {on}{remedy}"


#: What stands still in a pause, by what somebody paused.
PAUSED = {"send": "sending", "apply": "applying"}


def _paused(status: Json, dataset: Json) -> str:
    parts = []
    for pause in dataset["pauses"]:
        until = f" until {clock_text(pause['until'], status['clock'])}" if pause["until"] else ""
        where = "" if pause["node"] == status["node"] else f" on {pause['node']}"
        parts.append(f"{PAUSED.get(pause['what'], pause['what'])} is paused{where}{until}")
    nodes = [pause["node"] for pause in dataset["pauses"] if pause["node"] != status["node"]]
    where = f"; on {nodes[0]}" if len(nodes) == len(dataset["pauses"]) and nodes else ""
    return f"{' and '.join(parts)}{where}: hikae resume {dataset['name']}"


def _without_link(status: Json, dataset: Json, problem: str) -> str:
    """The link first: why it is not there where a problem says so, else that it is not; then what else is the matter."""
    worst = _worst(dataset, "error")
    gone = [peer["name"] for peer in dataset["peers"] if not peer["connected"]]
    if worst is not None and worst["message"].partition(":")[0] in gone:
        known = "it has not followed since this node was promoted" if left_behind(dataset) else ""
        return "; ".join(part for part in (problem, known, last_heard(status, dataset)) if part)
    return "; ".join(part for part in (_disconnected(status, dataset), problem) if part)


def left_behind(dataset: Json) -> list[str]:
    """The peers that are away since a promotion left them behind, which somebody decided and knows; none where another is."""
    gone = [peer for peer in dataset["peers"] if not peer["connected"]]
    known = dataset["state"] == State.DISCONNECTED and all(peer.get("left_behind") for peer in gone)
    return [peer["name"] for peer in gone] if known else []


def _disconnected(status: Json, dataset: Json) -> str:
    gone = [peer for peer in dataset["peers"] if not peer["connected"]]
    names = ", ".join(
        peer["name"] + (f" since {clock_text(peer['since'], status['clock'])}" if peer["since"] else "")
        for peer in gone
    )
    most = max(gone, key=lambda peer: int(peer["behind_bytes"]), default=None)
    behind = f", {size_text(most['behind_bytes'])} wait{so_far(most)}" if most and most["behind_bytes"] else ""
    remedy = "is its agent running, and its port open?"
    if left_behind(dataset):
        names = f"{names}, which has not followed since this node was promoted"
        remedy = f"once its agent runs, there: hikae rejoin {dataset['name']}"
    if dataset["role"] == Role.STANDBY:
        # It is the primary that calls, and it is told why it cannot.
        caller = dataset["primary"]
        remedy = f"hikae status on {caller}, which calls this node, says why; or its agent does not run"
    return "; ".join(
        part for part in (f"no connection with {names}{behind}: {remedy}", last_heard(status, dataset)) if part
    )


def _unconfirmed(dataset: Json) -> str:
    """What a primary waits for that does not know yet whether another node took over."""
    waited = ", ".join(peer["name"] for peer in dataset["peers"] if not peer["connected"])
    asked = f"{waited} has not confirmed" if waited else "it is not confirmed"
    problem = problem_text(dataset)
    if any(one["code"] == UNCONFIRMED for one in dataset["problems"]):
        return problem
    return f"{asked} that no other node was made primary; changes are recorded meanwhile" + (
        f"; {problem}" if problem else ""
    )


def last_heard(status: Json, dataset: Json) -> str:
    """``beta was held when last heard, 02:14: …`` of peers that are not connected; "" where nothing was in the way there."""
    said = (peer for peer in dataset["peers"] if not peer["connected"] and peer["said"])
    return "; ".join(words for words in (_was(status, peer) for peer in said) if words)


def _was(status: Json, peer: Json) -> str:
    reason = peer["hold"]["sentence"] if peer["hold"] else ""
    if not reason and peer["errors"] and peer["worst"]:
        reason = peer["worst"]["message"]
    was = "held" if peer["hold"] else "in trouble"
    return (
        f"{peer['name']} was {was} when last heard, {clock_text(peer['said'], status['clock'])}: {reason}"
        if reason
        else ""
    )


def slower_than(dataset: Json) -> str:
    """Of a standby that does not keep pace, or lacks what it was away for, as its primary says; "" where nobody says so."""
    if dataset["role"] != Role.STANDBY:
        return ""
    said = {peer["state"]: peer["name"] for peer in said_now(dataset)}
    if State.BEHIND in said and DEVICE_BUSY in codes_told(dataset):
        return f"what is written on {said[State.BEHIND]} is committed less often than it ought to be"
    if State.BEHIND in said:
        return f"more is changed on {said[State.BEHIND]} than arrives here"
    if State.CATCHUP in said:
        return f"what was changed on {said[State.CATCHUP]} meanwhile is still on its way"
    return ""


def _behind(dataset: Json) -> str:
    if told := slower_than(dataset):
        return told
    return ", ".join(peer_behind(peer) for peer in dataset["peers"] if peer["mode"] in ("catchup", "behind"))


def seeding_text(dataset: Json) -> str:
    """Who copies what stood in the tree that it took over, and how far it is; "" where nobody does."""
    told = [
        f"{peer['name']} copies what stood there into its vault{_part(peer.get('sync'))}"
        for peer in said_now(dataset)
        if peer["state"] == State.SEEDING
    ]
    if dataset["seeding"]:
        told.insert(0, f"what stood here is copied into the vault{_part(dataset['sync'])}")
    return f"{' and '.join(told)}; it goes on by itself" if told else ""


def _part(sync: Json | None) -> str:
    """`` (31 %)``; "" where that is not known."""
    total = sync["total_bytes"] if sync is not None and sync["phase"] == "seeding" else None
    return f" ({100 * min(sync['done_bytes'], total) // total} %)" if sync is not None and total else ""


def so_far(peer: Json) -> str:
    """`` so far``, of what a peer lacks while it comes to more: in its first sync as long as nobody has counted that, and until
    it has said what it has; else ""."""
    sync = peer["first_sync"]
    is_more = not behind_known(peer) or (sync is not None and sync["total_bytes"] is None)
    return " so far" if is_more else ""


def behind_known(peer: Json) -> bool:
    """Whether the peer has said, since its primary began, what it has; agents of before do not tell."""
    return bool(peer.get("behind_known", True))


def peer_behind(peer: Json) -> str:
    """``gamma is 3.2 GiB behind: 1.1 MB/s arrive there, 4.0 MB/s change here, about 5 min left``, as far as measured."""
    if not behind_known(peer):
        return f"how far {peer['name']} is behind is not known yet"
    words = f"{peer['name']} is {size_text(peer['behind_bytes'])} behind{so_far(peer)}"
    if not peer["rate"]:
        return words
    left = peer["forecast_seconds"]
    if left is not None:
        when = f"about {span_text(left)} left"
    else:
        # Of a burst that is just over nothing is known yet.
        when = (
            f"{peer['name']} never catches up at this rate" if peer["forecast_never"] else "how long is not known yet"
        )
    return f"{words}: {rate_text(peer['rate'])} arrive there, {rate_text(peer['change_rate'])} change here, {when}"


def _watch(watch: Json) -> str:
    return "events" if watch["kind"] in BEST_WATCHERS else f"{watch['kind']}: {watch['why']}"


def _steady(status: Json, dataset: Json) -> str:
    if dataset["state"] == State.SEEDING:
        return seeding_text(dataset)
    if dataset["state"] == State.RECONCILING and dataset["sync"]:
        return sync_text(dataset["sync"])
    parts = []
    lag = lag_seconds(dataset)
    if lag is not None:
        parts.append(f"lag {span_text(lag)}")
    watch = dataset["watch"]
    if watch:
        last = watch["last_reconcile"]
        look = f"; last full look {clock_text(last, status['clock'])}" if last else ""
        parts.append(f"({_watch(watch)}{look})")
    return " ".join(parts)
