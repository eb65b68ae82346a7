"""What a secondary says: unproven it stops nothing, proven it fences at most, and the catalog stays whatever it says (law 6)."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from agent import pki
from agent.core.commit import Position
from agent.core.ids import EPOCH_LIMIT, EPOCH_STEP, NOTHING, CommitNumber, Epoch, commit_number
from agent.store.catalog.catalog import CatalogReader
from agent.stream.messages import Answers, Hello, Need, Progress, Refuse, Welcome
from fakes.agents import Pair, pair
from fakes.hostile_secondary import HostileSecondary, hostile

#: Given the liar and what it was greeted with.
Lie = Callable[[HostileSecondary, Hello], Answers]
TOKEN, DIGEST = b"t" * 16, b"d" * 32
CODES = ("lost-epoch", "rewound", "stale-epoch", "fenced", "not-primary")


def refuses(code: str, epoch: int) -> Lie:
    """Before anything is proven."""
    return lambda _, __: (Refuse(code, "x", "y", epoch),)


def welcomes(*more: Refuse | Need | Progress, **fields: object) -> Lie:
    """A welcome that is proven, with these fields; ``more`` follows it."""
    return lambda liar, hello: (replace(liar.welcome(hello), **fields), *more)  # type: ignore[arg-type]


def unproven(**fields: object) -> Lie:
    """A welcome that proves nothing: it signs another nonce."""

    def say(liar: HostileSecondary, hello: Hello) -> tuple[Welcome]:
        proof = pki.sign_proof(liar.key, b"another nonce")
        return (replace(liar.welcome(hello), proof=proof, **fields),)  # type: ignore[arg-type]

    return say


def of_another_node(liar: HostileSecondary, hello: Hello) -> Answers:
    """A welcome that is proven by another node's certificate, which alpha's authority signed too."""
    return (replace(liar.welcome(hello), node="gamma", met=Epoch(7, "gamma", TOKEN)),)


def met(number: int, owner: str) -> Lie:
    """A proven word of an epoch."""
    return welcomes(met=Epoch(number, owner, TOKEN))


LATER = commit_number(1, 999_999)
#: None of these may change anything that lasts, nor keep an honest secondary out.
STOP_NOTHING: dict[str, Lie] = {
    **{f"refuse {code}": refuses(code, (1 << 32) - 1) for code in CODES},
    "refuse lost-epoch, a little higher": refuses("lost-epoch", 2),
    "refuse behind a welcome": welcomes(Refuse("lost-epoch", "x", "y", 7)),
    "wrong proof": unproven(met=Epoch(7, "alpha", TOKEN)),
    "no proof": welcomes(proof=b"", certificate=b"", met=Epoch(7, "alpha", TOKEN)),
    "another node": of_another_node,
    "another version": welcomes(version=99),
    "no credit": welcomes(Refuse("busy", "", ""), credit=0),
    "endless credit": welcomes(Refuse("busy", "", ""), credit=(1 << 63) - 1),
    "a second welcome": lambda liar, hello: (liar.welcome(hello),) * 2,
    "a position before the welcome": lambda _, __: (Progress(Position(LATER, LATER), 0),),
    "a position that was not sealed": welcomes(Progress(Position(LATER, LATER), 0)),
    "bytes that were not sent": welcomes(Progress(Position(), 1 << 40)),
    "an answer to no question": welcomes(Need(1, (0,))),
    "applied beyond durable": welcomes(applied=LATER),
    "a commit without its epoch": welcomes(durable=LATER, durable_digest=DIGEST),
    "a commit without its digest": welcomes(durable=LATER, epoch=Epoch(1, "alpha", TOKEN)),
    "the greatest commit": welcomes(durable=CommitNumber((1 << 63) - 1), durable_digest=DIGEST),
    "an epoch without its id": welcomes(met=Epoch(2, "beta", b"")),
    "a third node's epoch": met(2, "gamma"),
    "an epoch of nobody": met(2, ""),
    **{
        f"epoch {number} of {owner}": met(number, owner)
        for number in (1 + EPOCH_STEP, EPOCH_LIMIT - 1)
        for owner in ("alpha", "beta")
    },
}
#: Each of these fences, and one command leads out.
FENCE: dict[str, Lie] = {
    "fenced": met(2, "beta"),
    "fenced, as high as is believed": met(EPOCH_STEP, "beta"),
    "fenced, with the number that is ours": met(1, "beta"),
    "rewound": met(5, "alpha"),
    "rewound, with the number that is ours": met(1, "alpha"),
    "rewound by a commit": lambda liar, hello: (
        replace(liar.welcome(hello), durable=LATER, durable_digest=DIGEST, epoch=hello.epoch, met=hello.epoch),
    ),
}


@contextmanager
def lied_to() -> Iterator[tuple[Pair, HostileSecondary]]:
    """alpha has some commits; at beta's address somebody lies."""
    with pair() as both:
        both.source.mkdir(exist_ok=True)
        for number in range(5):
            (both.source / f"f{number}").write_text(f"first {number}")
        with hostile(both) as liar:
            both.alpha.start()
            both.alpha.up()
            both.alpha.json("reconcile", "web")
            yield both, liar


def hear(both: Pair, liar: HostileSecondary, lie: Lie) -> None:
    """One call hears it; the next one comes after it was dealt with."""
    liar.say(lambda hello: lie(liar, hello))
    both.alpha.json("pause", "web", "--send")
    while not liar.calls.empty():
        liar.heard()
    both.alpha.json("resume", "web", "--send")
    liar.heard()


def commits(both: Pair) -> list[CommitNumber]:
    """Of alpha, which does not run."""
    with CatalogReader.open(str(both.home(both.alpha) / "catalog.db")) as catalog:
        return [one.number for one in catalog.commits(NOTHING, 100)]


@pytest.mark.timeout(300)
def test_words_that_stop_nothing() -> None:
    """Whatever they are, alpha is in its epoch, has its commits, and mirrors to an honest beta."""
    with lied_to() as (both, liar):
        before = both.alpha.look()["commit"]
        for name, lie in STOP_NOTHING.items():
            hear(both, liar, lie)
            shown = both.alpha.look()
            assert (name, "primary", 1, before) == (name, shown["role"], shown["epoch"], shown["commit"])
            assert name if shown["state"] not in ("rewound", "fenced") else ""
            assert 0 == shown["peers"][0]["durable_seq"], name
        liar.close()
        both.beta.start()
        both.alpha.restart()
        both.mirror()
        assert [1, 1] == [agent.look()["epoch"] for agent in both.agents]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("lie", FENCE)
def test_words_that_fence(lie: str) -> None:
    """alpha sends nothing and says by whom; accept begins a higher epoch, with all of its history, also for an honest beta."""
    with lied_to() as (both, liar):
        liar.say(lambda hello: FENCE[lie](liar, hello))
        code = lie.split(",", maxsplit=1)[0].split(maxsplit=1)[0]
        both.alpha.told(code, "beta")
        liar.close()
        both.alpha.kill(signal.SIGTERM)
        before = commits(both)
        both.alpha.start()
        both.beta.start()
        both.alpha.told(code, "beta")
        assert code == both.alpha.json("accept", "web", "--yes")["accepted"]
        both.mirror()
        epochs = {agent.look()["epoch"] for agent in both.agents}
        both.alpha.kill(signal.SIGTERM)
        assert (1, before) == (len(epochs), commits(both)[: len(before)])
        assert 1 < epochs.pop() <= 1 + EPOCH_STEP
