"""What must be said of a dataset beside its row, and what is to be typed where? Worst first, made of the published value."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.core.hold import LOST, REPLACED
from agent.core.problem_codes import NOT_STILL, STATE_DISK_FULL, STATE_DISK_RESERVE, UNCONFIRMED, VAULT_FULL
from agent.core.standing import FIRST_SYNC
from agent.status.figures import clock_text, rate_text, size_text, span_text
from agent.status.page.cells import exact_clock
from agent.status.published import Json
from agent.status.sentences import (
    BEST_WATCHERS,
    PAUSED,
    UNDER_REHEARSAL,
    back_to_before,
    behind_known,
    codes_told,
    last_heard,
    moving_text,
    not_open_text,
    pace_text,
    peer_behind,
    placed,
    said_now,
    seeding_text,
    slower_than,
    so_far,
    sync_text,
)
from agent.status.state import Role, State


@dataclass(frozen=True, slots=True)
class Notice:
    """``sentence`` says what is so and since when, "" where the one above goes on; ``remedy`` what leads on, "" where nothing is
    to be done; ``on`` the node that it is done on, "" for this one; ``when`` the case in which it is right, "" for any; ``code``:
    by what it stands in ``docs/problems.md``, with its severity, "" where it is none of these."""

    sentence: str
    remedy: str = ""
    on: str = ""
    when: str = ""
    code: str = ""


def notices_of(status: Json, dataset: Json) -> list[Notice]:
    """The state's own notices, then errors, then what follows from them, then warnings, here and at its peers."""
    return [
        *_state_notices(status, dataset),
        *_problem_notices(status, dataset, "error"),
        *_peer_notices(dataset, "errors"),
        *_refused(status, dataset),
        *_heard_before(status, dataset),
        *_only_here(status, dataset),
        *_left_behind(dataset),
        *_problem_notices(status, dataset, "warning"),
        *_peer_notices(dataset, "warnings"),
        *_watcher(dataset),
    ]


def node_notices(status: Json) -> list[Notice]:
    """What is wrong with the node itself. A command of a dataset names the one that there is."""
    notices = [*_problem_notices(status, status, "error"), *_problem_notices(status, status, "warning")]
    names = [dataset["name"] for dataset in status["datasets"]]
    if len(names) != 1:
        return notices
    return [replace(one, remedy=one.remedy.replace(" DATASET ", f" {names[0]} ")) for one in notices]


def remarks_of(status: Json, dataset: Json) -> list[Notice]:
    """What need not be acted on: for the long form only."""
    return _problem_notices(status, dataset, "info")


#: So many paths of one kind are named.
_ALSO = 3
#: What a standby has where it receives nothing, by itself: it refuses the call of its primary.
_REFUSES = frozenset({VAULT_FULL, STATE_DISK_FULL, STATE_DISK_RESERVE})
#: States in which a node calls nobody, by itself.
_SENDS_NOTHING = (State.FENCED, State.REWOUND)


def _state_notices(status: Json, dataset: Json) -> list[Notice]:
    """What the word of the state stands for. Each is said where it is so, also where a worse word is shown."""
    holds = [hold for hold in (dataset["hold"], *(peer["hold"] for peer in said_now(dataset))) if hold]
    made = [
        notice for at, hold in enumerate(holds) if hold not in holds[:at] for notice in _held(status, dataset, hold)
    ]
    made += [] if dataset.get("opened", True) else [Notice(not_open_text(dataset))]
    made += _unconfirmed(dataset) if dataset["state"] == State.UNCONFIRMED else []
    made += [Notice(moving_text(dataset))] if dataset["state"] == State.MOVING else []
    made += [Notice(UNDER_REHEARSAL)] if dataset["state"] == State.REHEARSING else []
    made += _inconsistent(dataset) if dataset["state"] == State.INCONSISTENT else []
    made += [notice for peer in _missing(dataset) for notice in _lost(status, dataset, peer)]
    made += [_paused(status, dataset, pause) for pause in dataset["pauses"]]
    made += _progress(status, dataset)
    return made


def _inconsistent(dataset: Json) -> list[Notice]:
    """Also on a standby: what its tree holds may not fit together. Of a device that does not stand still its problem says why."""
    if NOT_STILL in codes_told(dataset):
        return [Notice("the newest commit is of no one moment, as what follows says")]
    who = dataset["primary"]
    return [
        Notice(
            f"the newest commit may hold half of a change: {who} was started anew, or lost events, and looks at everything; "
            "that ends by itself"
        )
    ]


def _held(status: Json, dataset: Json, hold: Json) -> list[Notice]:
    told = " since " in hold["sentence"] or "(found " in hold["sentence"]
    since = f", since {clock_text(hold['since'], status['clock'])}" if hold["since"] and not told else ""
    subject = "" if hold["node"] == status["node"] else f"{hold['node']} is held: "
    sentence, name = f"{subject}{hold['sentence']}{since}", dataset["name"]
    if hold["code"] in LOST:
        return [
            Notice(f"{sentence}; the standby stays as it stands", code=hold["code"]),
            Notice("", back_to_before(hold, name), dataset["primary"], "If it was not meant, back to just before it"),
            Notice("", f"hikae accept {name}", hold["node"], "If it was"),
        ]
    remedy = hold["remedy"] or f"hikae accept {name}, if that is meant"
    kept = "; changes are received and kept meanwhile" if hold["code"] in REPLACED else ""
    return [Notice(f"{sentence}{kept}", remedy, _elsewhere(status, hold["node"]), code=hold["code"])]


def _missing(dataset: Json) -> list[Json]:
    """The peers without a connection that ought to have one, and of which no problem says why."""
    if _refuses(dataset) or not dataset.get("opened", True):
        return []
    if dataset["state"] in _SENDS_NOTHING or any(pause["what"] == "send" for pause in dataset["pauses"]):
        return []
    said = [problem["message"].partition(":")[0] for problem in dataset["problems"] if problem["severity"] == "error"]
    return [peer for peer in dataset["peers"] if not peer["connected"] and peer["name"] not in said]


def _refuses(dataset: Json) -> bool:
    """Whether a standby itself lets nobody send."""
    return dataset["role"] == Role.STANDBY and any(problem["code"] in _REFUSES for problem in dataset["problems"])


def _refused(status: Json, dataset: Json) -> list[Notice]:
    """Of a standby without room: who does not get through; why stands above."""
    away = [peer for peer in dataset["peers"] if not peer["connected"]] if _refuses(dataset) else []
    return [Notice(f"{_unlinked(status, peer)}: its calls are refused until there is room") for peer in away]


def _unlinked(status: Json, peer: Json) -> str:
    since = f" since {clock_text(peer['since'], status['clock'])}" if peer["since"] else ""
    return f"no connection with {peer['name']}{since}"


def _only_here(status: Json, dataset: Json) -> list[Notice]:
    """What would be lost with this node: its peers are away and lack it, as far as that is known."""
    if dataset["role"] != Role.PRIMARY or dataset["state"] in _SENDS_NOTHING:
        return []
    away = [peer for peer in dataset["peers"] if not peer["connected"] and not peer["first_sync"]]
    lack = [peer for peer in away if peer["behind_bytes"] and (behind_known(peer) or peer["received"])]
    return [Notice(_alone(status, peer)) for peer in lack]


def _alone(status: Json, peer: Json) -> str:
    since = f"since {exact_clock(peer['received'], status['clock'])} " if peer["received"] else ""
    size, name = size_text(peer["behind_bytes"]), peer["name"]
    return f"what was written {since}is on {status['node']} only ({size}{so_far(peer)}); it is sent once {name} is connected"


def _left_behind(dataset: Json) -> list[Notice]:
    """Of a node that was promoted: who does not follow it yet, and what makes it follow once its agent runs."""
    if dataset["role"] != Role.PRIMARY or dataset["state"] in _SENDS_NOTHING:
        return []
    rejoin = f"hikae rejoin {dataset['name']}"
    told = any(rejoin in problem["remedy"] for problem in dataset["problems"])
    away = [peer["name"] for peer in dataset["peers"] if peer.get("left_behind") and not peer["connected"]]
    sentence = "has not followed since this node was promoted"
    once = "once its agent runs (what only it has is kept first)"
    return [] if told else [Notice(f"{name} {sentence}", f"{rejoin} {once}", name) for name in away]


def _heard_before(status: Json, dataset: Json) -> list[Notice]:
    """What was in the way of peers that are away for a reason, when they were heard last."""
    named = {peer["name"] for peer in _missing(dataset)}
    away = [peer for peer in dataset["peers"] if not peer["connected"] and peer["name"] not in named]
    said = last_heard(status, {**dataset, "peers": away})
    return [Notice(said)] if said else []


def _lost(status: Json, dataset: Json, peer: Json) -> list[Notice]:
    """Nobody knows why: where the last call said it, that is a problem of its own."""
    said = last_heard(status, {**dataset, "peers": [peer]})
    sentence = _unlinked(status, peer) + (f"; {said}" if said else "")
    if dataset["role"] == Role.STANDBY:
        takes_over = f"hikae promote {dataset['name']} --dry-run (whether it can take over, and what would be lost)"
        return [
            Notice(sentence, f"hikae status (it says why: {peer['name']} is the one that calls)", peer["name"]),
            Notice("", takes_over, when=f"If {peer['name']} is lost"),
        ]
    return [Notice(sentence, "systemctl status hikae: does its agent run? Is its port open?", peer["name"])]


def _unconfirmed(dataset: Json) -> list[Notice]:
    waited = ", ".join(peer["name"] for peer in dataset["peers"] if not peer["connected"])
    if any(problem["code"] == UNCONFIRMED for problem in dataset["problems"]):
        return []
    asked = f"{waited} has not confirmed" if waited else "it is not confirmed"
    return [Notice(f"{asked} that no other node was made primary; changes are recorded meanwhile")]


def _paused(status: Json, dataset: Json, pause: Json) -> Notice:
    what = PAUSED.get(pause["what"], pause["what"])
    until = "until somebody resumes it"
    if pause["until"]:
        until = f"until {clock_text(pause['until'], status['clock'])}, then it goes on by itself"
    where = "" if pause["node"] == status["node"] else f" on {pause['node']}"
    by = f" by {pause['by']}" if pause["by"] else ""
    kept = "; changes are received and kept meanwhile" if pause["what"] == "apply" else ""
    return Notice(
        f"{what} is paused{where}{by} {until}{kept}",
        f"hikae resume {dataset['name']}",
        _elsewhere(status, pause["node"]),
    )


def _progress(status: Json, dataset: Json) -> list[Notice]:
    made = []
    if dataset["sync"] is not None and dataset["state"] not in (*_SENDS_NOTHING, State.UNCONFIRMED):
        phase = dataset["sync"]["phase"]
        if phase != "seeding":
            made.append(Notice(f"{_PHASES.get(phase, phase)}: {sync_text(dataset['sync'])}{_not_whole(dataset)}"))
    seeding = seeding_text(dataset)
    made += [Notice(seeding)] if seeding else []
    behind = [peer for peer in dataset["peers"] if peer["mode"] in ("catchup", "behind") and peer["connected"]]
    made += [Notice(peer_behind(peer)) for peer in behind if dataset["sync"] is None]
    made += [Notice(f"{peer['name']}: {_REDO}") for peer in said_now(dataset) if peer["state"] == State.REDO]
    if told := slower_than(dataset):
        made.append(Notice(told, f"hikae status {dataset['name']} (how much, and for how long)", dataset["primary"]))
    lag = [peer for peer in dataset["peers"] if (peer["lag_seconds"] or 0) >= _LAG_TOLD and not peer["first_sync"]]
    made += [Notice(f"{peer['name']} lags by {span_text(peer['lag_seconds'])}") for peer in lag]
    pace = pace_text(status, dataset)
    faster = _faster(behind) if dataset["sync"] is None else ""
    return [*made, Notice(pace, faster)] if pace else made


def _not_whole(dataset: Json) -> str:
    """Who has no complete copy, and so cannot take over, before the first sync is through."""
    if dataset["sync"]["phase"] != FIRST_SYNC:
        return ""
    filled = [peer["name"] for peer in dataset["peers"] if peer["first_sync"]]
    who = "this standby" if dataset["role"] == Role.STANDBY else " and ".join(filled)
    has = "have" if len(filled) > 1 and dataset["role"] != Role.STANDBY else "has"
    return f"; {who} {has} no complete copy yet and cannot take over until then" if who else ""


def _faster(behind: list[Json]) -> str:
    """What leads on where it is the limit that keeps a peer from catching up."""
    limited = [peer for peer in behind if peer["mode"] == "behind" and peer["rate_limit"]]
    least = max((max(peer["change_rate"] or 0, peer["rate_limit"]) for peer in limited), default=0)
    above = f" above {rate_text(least)}"
    return f"raise the rate of steady in [dataset.limits]{above}, then: hikae reload" if limited else ""


def _watcher(dataset: Json) -> list[Notice]:
    """A watcher that is not the best one; of a device that is not followed at all, its problem says why."""
    watch = dataset["watch"]
    if not watch or watch["kind"] in (*BEST_WATCHERS, "none"):
        return []
    return [Notice(f"watched by {watch['kind']}: {watch['why']}")]


#: What goes on, by the phase of a sync.
_PHASES = {
    "first-sync": "first sync",
    "reconcile": "looking at everything",
    "apply": "applying",
    "redo": "comparing everything, since it is not known what of it is as it should be",
    "verify": "verifying",
}
_REDO = "it is not known what of the standby is as it should be; all of it is compared"
#: A shorter lag is not worth a sentence: seconds.
_LAG_TOLD = 3.0


def _problem_notices(status: Json, holder: Json, severity: str) -> list[Notice]:
    """One for each code: its first path, and how many more there are."""
    told_by_hold = holder["hold"]["code"] if holder.get("hold") else ""
    kinds: dict[str, list[Json]] = {}
    for problem in holder["problems"]:
        if problem["severity"] == severity and problem["code"] != told_by_hold:
            kinds.setdefault(problem["code"], []).append(problem)
    return [_problem(status, kind, holder.get("uncounted", {}).get(code, 0)) for code, kind in kinds.items()]


def _problem(status: Json, kind: list[Json], uncounted: int) -> Notice:
    first = kind[0]
    count = sum(one.get("count", 1) for one in kind) + uncounted
    where = f"{first['path']}: " if first["path"] else ""
    also = ", ".join(one["path"] for one in kind[1:_ALSO] if one["path"])
    rest = count - 1 - (len(kind[1:_ALSO]) if also else 0)
    more = f", also {also}" if also and not first.get("count") else ""
    more += f", and {rest:,} more such" if rest and not first.get("count") else ""
    since = f" (since {clock_text(first['since'], status['clock'])}{more})" if first["since"] else more
    on, remedy = placed(first["remedy"])
    return Notice(f"{where}{first['message']}{since}", remedy, on, code=f"{first['severity']} {first['code']}")


def _peer_notices(dataset: Json, which: str) -> list[Notice]:
    """What connected peers tell of themselves; a peer that has errors names its worst there, not again among the warnings."""
    made = []
    for peer in said_now(dataset):
        count = peer["errors"] + peer["warnings"]
        if not peer[which] or (which == "warnings" and peer["errors"]) or (peer["hold"] and count == 1):
            continue
        worst = peer["worst"] or {"message": "", "code": "it has problems", "remedy": ""}
        more = f", and {count - 1:,} more there" if count > 1 else ""
        on, remedy = placed(worst["remedy"])
        said = f"{peer['name']} says: {worst['message'] or worst['code']}{more}"
        code = f"{which.removesuffix('s')} {worst['code']}" if peer["worst"] else ""
        made.append(Notice(said, remedy, on or peer["name"], code=code))
    return made


def _elsewhere(status: Json, node: str) -> str:
    return "" if node == status["node"] else node
