"""``docs/roles-table.md``: what each event makes of a node in each role, asked of the very decisions that an agent takes.

The node is the one of the protocol's model (``fakes.role_nodes``): the real decisions over a durable state that is a value. Each
state is reached by events, each event is tried in each state, and what is different afterwards is the cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from agent.core.ids import NO_EPOCH, NOTHING, CommitNumber, Epoch, commit_number
from agent.roles.new_primary import CallerStanding, WhatIsHere, judge_caller
from agent.roles.record import RoleRecord
from agent.roles.switchover.steps import StandsAt
from agent.status.state import Role
from agent.stream.guards import EVERY_GUARD
from agent.stream.locator import CommitMark
from agent.stream.messages import CREDIT, Hello, Welcome
from agent.stream.receiving.epochs import newest_of
from fakes.role_nodes import DIGEST, Disk, RoleNode, Sent, Stands, Tokens

_HEAD = """# What each event does in each role

Made from the source by `make pages`: each event is tried in each state with the decisions that an agent takes. The node is
`alpha`, the others are `beta` and `gamma`, and it is epoch 2: as a standby alpha follows beta in it, as a primary it reigns in it
itself. The states:

{states}
A cell says what alpha is after the event, in which epoch, and whose epoch ended its own (*by*); *stays*: what it was; *refused*:
the command, or the other node's word, changes nothing, and the answer says why; a dash: such a thing does not come to it in that
state. `serving` alone lets the application write. Commands are those of an operator who has seen their gates, or has forced them;
`accept` is about roles here, and ends other holds too. `switchover` is a list of steps: the last events of the table end it.

{table}
"""
_ALPHA, _BETA, _GAMMA = _NODES = ("alpha", "beta", "gamma")
#: What somebody counts to who is faulty or hostile: far more than is believed at once.
_FAR = 9_000
#: What nobody sends to a node in that state.
NEVER, STAYS, REFUSED = "—", "stays", "refused"


def _reign(number: int, owner: str) -> Epoch:
    return Epoch(number, owner, f"{number} of {owner}".ljust(16).encode())


def _marks(reign: Epoch, first: int = 1, last: int = 2) -> tuple[CommitMark, ...]:
    return tuple(
        CommitMark(
            reign.token, commit_number(reign.number, seq), f"{reign.token!r}{seq}".encode()[:DIGEST].ljust(DIGEST)
        )
        for seq in range(first, last + 1)
    )


def _node(role: Role, owner: str, *, received: bool = True) -> RoleNode:
    """Alpha in epoch 2 of ``owner``, open."""
    node = RoleNode(_ALPHA, _BETA, _NODES, Tokens(), EVERY_GUARD)
    reign = _reign(2, owner)
    if received:
        node.disk = Disk(RoleRecord(role, reign), (reign,), _marks(reign))
    node.start()
    return node


def _standby() -> RoleNode:
    return _node(Role.STANDBY, _BETA)


def _unconfirmed() -> RoleNode:
    node = _node(Role.PRIMARY, _ALPHA)
    node.look()
    return node


def _serving() -> RoleNode:
    node = _unconfirmed()
    for peer in node.peers:
        _welcomed(node, peer)
    node.look()
    return node


def _switching() -> RoleNode:
    node = _serving()
    node.switch_to(_BETA)
    return node


def _handed_over() -> RoleNode:
    node = _switching()
    node.compared(_BETA, node.stands(), node.asked)
    return node


def _fenced() -> RoleNode:
    node = _serving()
    node.called(_hello(_BETA, _reign(3, _BETA)))
    return node


def _apart() -> RoleNode:
    node = _serving()
    node.called(_hello(_BETA, _reign(2, _BETA)))
    return node


def _rewound() -> RoleNode:
    node = _serving()
    _holds_more(node)
    return node


def _by_hand() -> RoleNode:
    node = _serving()
    node.fence()
    return node


@dataclass(frozen=True, slots=True)
class _State:
    """``comes``: how a node comes to be in it, for people."""

    make: Callable[[], RoleNode]
    comes: str


STATES: Mapping[str, _State] = MappingProxyType(
    {
        "standby, empty": _State(lambda: _node(Role.STANDBY, _BETA, received=False), "nothing has been received yet"),
        "standby": _State(_standby, "it has what beta sent in epoch 2"),
        "handed over": _State(
            _handed_over, "a standby: it gave its place to beta, which has not called in epoch 3 yet"
        ),
        "unconfirmed": _State(_unconfirmed, "a primary that was started, and waits for the word of the others"),
        "serving": _State(_serving, "a primary that all others, or an operator, have confirmed"),
        "switching over": _State(_switching, "a primary whose application is stopped, so that beta can take over"),
        "fenced": _State(_fenced, "it was the primary in epoch 2, and beta reigns in epoch 3"),
        "fenced, apart": _State(_apart, "both alpha and beta were promoted, each in an epoch 2 of its own"),
        "rewound": _State(_rewound, "beta has commits of alpha's own epoch 2 that alpha does not know"),
        "fenced by hand": _State(_by_hand, "`hikae fence` was typed"),
    }
)


def _hello(speaker: str, epoch: Epoch, *, lacks: bool = False) -> Hello:
    """A call; who makes it knows all that is here, unless it ``lacks`` that."""
    known = () if lacks else (*_marks(_reign(2, _BETA)), *_marks(_reign(2, _ALPHA)))
    locator = tuple(reversed(known))
    return Hello(speaker, "web", (2,), epoch, NOTHING, bytes(32), locator=locator)


def _welcomed(node: RoleNode, peer: str, met: Epoch | None = None, more: int = 0) -> Sent | None:
    """A peer answers alpha's call: it has ``met`` that, and has what alpha has, and so many commits ``more``."""
    hello = node.hello(peer)
    if hello is None:
        return None
    newest = _marks(node.reign, last=2 + more)[-1]
    welcome = Welcome(peer, node.reign, newest.number, newest.digest, NOTHING, CREDIT, 2, met=met or node.reign)
    return node.welcomed(peer, welcome, hello.nonce)


def _holds_more(node: RoleNode) -> None:
    _welcomed(node, _BETA, more=7)


Event: TypeAlias = Callable[[RoleNode], str | None]
"""Does it; what is said of it where nothing is another afterwards, None for ``STAYS``."""


def _command(act: Callable[[RoleNode], object], again: Callable[[RoleNode], str] = lambda _: REFUSED) -> Event:
    """``again``: what is said where it changes nothing. Nothing is taken while steps are under way."""

    def event(node: RoleNode) -> str | None:
        if node.stopped_for:
            return REFUSED
        act(node)
        return again(node)

    return event


def _serves_again(node: RoleNode) -> str:
    return f"{STAYS}; `start` runs again" if node.serves else REFUSED


def _stops_again(node: RoleNode) -> str:
    return f"{STAYS}; `on_fenced` runs again" if node.disk.mark is not None else REFUSED


def _call(hello: Hello) -> Event:
    def event(node: RoleNode) -> str | None:
        welcome = node.called(hello)
        if hello.node in node.answered:
            node.take(hello.node, Sent(hello.nonce, NOTHING, NOTHING, _marks(hello.epoch, last=3)))
            return f"{STAYS}; keeps what it sends"
        if node.role is Role.PRIMARY and welcome is not None:
            return f"refused: it has met {welcome.met.number} of {welcome.met.owner}"
        here = WhatIsHere(_NODES, node.disk.lineage, node.disk.log[-1] if node.disk.log else None)
        behind = node.primary != hello.node and CallerStanding.BEHIND is judge_caller(
            hello.node, hello.epoch, hello.locator, here
        )
        return "refused, until `hikae rejoin`" if behind else REFUSED

    return event


def _answer(answer: Callable[[RoleNode], object]) -> Event:
    """Who calls nobody is answered by nobody."""

    def event(node: RoleNode) -> str | None:
        if node.hello(_BETA) is None:
            return NEVER
        answer(node)
        return None

    return event


def _confirmed(node: RoleNode) -> None:
    for peer in node.peers:
        _welcomed(node, peer)


def _compared(*, same: bool) -> Event:
    def event(node: RoleNode) -> str | None:
        if not node.stopped_for:
            return NEVER
        at = node.stands().at
        node.compared(_BETA, Stands(at if same else replace(at, commit=at.commit - 1)), node.asked)
        return None

    return event


def _taken_over(speaker: str, *, same: bool = True) -> Event:
    def event(node: RoleNode) -> str | None:
        at = node.stands().at
        other = StandsAt(CommitNumber(at.commit + 1), "of another state", at.commit + 1)
        node.take_over(speaker, _reign(3, _ALPHA), at if same else other)
        return REFUSED

    return event


def _rejoins(node: RoleNode) -> None:
    """To who has proven a later reign; nobody else is followed by that word."""
    mark = node.disk.mark
    if mark is not None and mark.fenced and not mark.by_hand and mark.highest > node.reign.number:
        node.rejoin(Epoch(mark.highest, mark.owner, bytes.fromhex(mark.token)))


def _restarted(node: RoleNode) -> None:
    node.crash()
    node.start()


def _loses_record(node: RoleNode) -> None:
    node.crash()
    node.disk = replace(node.disk, record=None)
    node.start()


def _happens(act: Callable[[RoleNode], object]) -> Event:
    def event(node: RoleNode) -> str | None:
        act(node)
        return None

    return event


_BETAS = _reign(3, _BETA)
EVENTS: Mapping[str, Event] = MappingProxyType(
    {
        "its agent is started again": _happens(_restarted),
        "the same, and its role record is lost": _happens(_loses_record),
        "`hikae promote`": _command(RoleNode.promote),
        "`hikae serve --alone`": _command(RoleNode.serve_alone, _serves_again),
        "`hikae accept`": _command(RoleNode.accept),
        "`hikae fence`": _command(RoleNode.fence, _stops_again),
        "`hikae rejoin`": _command(_rejoins),
        "beta calls, in an epoch 2 of its own, and sends": _call(_hello(_BETA, _reign(2, _BETA))),
        "beta calls, in epoch 3, and knows all that is here": _call(_hello(_BETA, _BETAS)),
        "gamma calls, in epoch 3, and knows all that is here": _call(_hello(_GAMMA, _reign(3, _GAMMA))),
        "gamma calls, in epoch 3, and lacks something": _call(_hello(_GAMMA, _reign(3, _GAMMA), lacks=True)),
        "gamma calls, in epoch 4, and knows all that is here": _call(_hello(_GAMMA, _reign(4, _GAMMA))),
        "beta calls, in epoch 1": _call(_hello(_BETA, _reign(1, _BETA))),
        "gamma calls, and names an epoch 3 of beta": _call(_hello(_GAMMA, _BETAS)),
        f"beta calls, in epoch {_FAR:,}": _call(_hello(_BETA, _reign(_FAR, _BETA))),
        "beta and gamma answer that they know of no later epoch": _answer(_confirmed),
        "beta answers that it reigns in epoch 3": _answer(lambda node: _welcomed(node, _BETA, _BETAS)),
        "beta answers that gamma reigns in epoch 3": _answer(lambda node: _welcomed(node, _BETA, _reign(3, _GAMMA))),
        "beta answers that alpha reigns in epoch 3": _answer(lambda node: _welcomed(node, _BETA, _reign(3, _ALPHA))),
        "beta answers that it has later commits of epoch 2": _answer(_holds_more),
        "beta says that it stands at the very state": _compared(same=True),
        "beta says that it stands at another state": _compared(same=False),
        "beta hands over, in epoch 3, at the very state": _taken_over(_BETA),
        "beta hands over, in epoch 3, at another state": _taken_over(_BETA, same=False),
        "gamma hands over, in epoch 3, at the very state": _taken_over(_GAMMA),
    }
)


def state_of(node: RoleNode) -> str:
    """Its word for the state, as at the top of the table."""
    mark = node.disk.mark
    if node.role is Role.STANDBY:
        record = node.record
        met = newest_of(node.disk.lineage)
        if record is not None and node.disk.log and record.epoch.number > met.number:
            return "handed over"
        return "standby" if node.disk.log else "standby, empty"
    if mark is None:
        return "serving" if node.serves else ("switching over" if node.stopped_for else "unconfirmed")
    if mark.by_hand:
        return "fenced by hand"
    return ("fenced, apart" if mark.is_apart else "fenced") if mark.fenced else "rewound"


def _epoch_of(node: RoleNode) -> Epoch:
    """That it reigns in, or follows."""
    if node.role is Role.PRIMARY:
        return node.reign
    return node.record.epoch if node.record is not None else NO_EPOCH


def after(state: str, event: str) -> str:
    """The cell of the table."""
    node = STATES[state].make()
    before = (state_of(node), _epoch_of(node), node.primary, node.disk.mark)
    said = EVENTS[event](node)
    node.look()
    found = state_of(node), _epoch_of(node), node.primary, node.disk.mark
    if found == before:
        return said or STAYS
    # What it follows is told where that is somebody else's reign.
    whose = f" of {node.primary}" if node.role is Role.STANDBY else ""
    mark = node.disk.mark
    ended = mark is not None and not mark.by_hand and mark.owner != node.name
    beyond = f", by {mark.highest} of {mark.owner}" if mark is not None and ended else ""
    return f"**{found[0]}**, {found[1].number}{whose}{beyond}"


def page() -> str:
    """The whole page."""
    states = "".join(f"- **{name}**: {one.comes}\n" for name, one in STATES.items())
    rows = [f"| {event} | {' | '.join(after(state, event) for state in STATES)} |" for event in EVENTS]
    head = [f"| event | {' | '.join(STATES)} |", f"|{'---|' * (len(STATES) + 1)}"]
    return _HEAD.format(states=states, table="\n".join([*head, *rows]))
