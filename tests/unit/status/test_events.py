"""What happened, by comparison; and where it is kept."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.core.kept import VaultCheck, VaultFacts, VaultVerified
from agent.core.problem_codes import PROBLEM_CODES
from agent.core.standing import PeerStanding, Standing, Verified
from agent.status.events import Event, EventLog, Unnamed, events_between
from agent.status.facts import NodeFacts
from agent.status.published import status_json
from agent.status.state import Role
from fakes.api_fakes import a_dataset, a_node, a_peer, a_problem
from fakes.idle import happened_between

TIME = "2026-11-22T03:15:00.000000Z"


@st.composite
def nodes(draw: st.DrawFn) -> NodeFacts:
    """Nodes with some of three datasets, in any state this issue has, with some of six problems."""
    codes = st.sets(st.sampled_from(sorted(PROBLEM_CODES)[:6]))
    datasets = [
        a_dataset(
            name,
            epoch=draw(st.integers(1, 3)),
            role=draw(st.sampled_from(Role)),
            peers=(a_peer(connected=draw(st.booleans())),),
            problems=tuple(a_problem(code) for code in sorted(draw(codes))),
        )
        for name in sorted(draw(st.sets(st.sampled_from("abc"))))
    ]
    return a_node(*datasets, problems=tuple(a_problem(code) for code in sorted(draw(codes))))


@given(nodes())
def test_nothing_happens_between_equal_values(facts: NodeFacts) -> None:
    """A value compared with itself tells nothing."""
    value = status_json(facts)
    assert [] == happened_between(value, value)


@given(nodes(), nodes())
def test_problems_add_up(old: NodeFacts, new: NodeFacts) -> None:
    """What stood, plus what was raised, minus what was cleared, is what stands."""
    told = [event for event in happened_between(status_json(old), status_json(new)) if not event.dataset]
    raised = {event.code for event in told if event.message.startswith("raised")}
    cleared = {event.code for event in told if event.message.startswith("cleared")}
    before, after = ({problem.code for problem in facts.problems} for facts in (old, new))
    assert (after, set()) == ((before | raised) - cleared, raised & cleared)


@given(nodes(), nodes())
def test_every_change_of_a_word_is_told(old: NodeFacts, new: NodeFacts) -> None:
    """State, role and epoch never change without an event that names both."""
    before, after = status_json(old), status_json(new)
    told = {(event.dataset, event.code, event.message) for event in happened_between(before, after)}
    earlier = {dataset["name"]: dataset for dataset in before["datasets"]}
    for dataset in after["datasets"]:
        was = earlier.get(dataset["name"], dataset)
        for key in ("state", "role", "epoch"):
            changed = was[key] != dataset[key]
            assert changed == ((dataset["name"], key, f"{was[key]} → {dataset[key]}") in told)


def test_a_start_is_told() -> None:
    """The first value tells the start and each dataset."""
    events = happened_between(None, status_json(a_node(a_dataset())))
    assert [
        Event("", "agent-started", "hikae 0.1.0 on alpha"),
        Event("web", "dataset-present", "primary, streaming"),
        Event("web", "peer-connected", "beta is connected"),
    ] == events


def test_many_problems_at_once_are_summed() -> None:
    """A thousand problems of a code do not wash everything else out of the log."""
    many = tuple(a_problem(path=b"%d" % number) for number in range(1000))
    new = status_json(a_node(a_dataset(problems=many)))
    events = [event for event in happened_between(status_json(a_node(a_dataset())), new) if event.code == "unreadable"]
    assert (11, "raised: 990 more") == (len(events), events[-1].message)


def test_what_was_not_named_when_it_came_is_not_named_when_it_goes() -> None:
    """It is counted; what was named is named, also when it is counted that the others went with it."""
    many = tuple(a_problem(path=b"f%02d" % number) for number in range(12))
    values = [status_json(a_node(a_dataset(problems=some))) for some in (many[:0], many, many[:11], many[1:9], ())]
    unnamed: Unnamed = set()
    told = [
        [
            one.message.removesuffix(": unreadable message")
            for one in events_between(*both, lambda _: False, unnamed)
            if one.code == "unreadable"
        ]
        for both in pairwise(values)
    ]
    assert [
        [*(f"raised: f{number:02}" for number in range(10)), "raised: 2 more"],
        ["cleared: 1 of those that were only counted"],
        ["cleared: f00", "cleared: f09", "cleared: 1 more"],
        [f"cleared: f{number:02}" for number in range(1, 9)],
    ] == told
    assert set() == unnamed


def test_a_log_outlives_a_restart(tmp_path: Path) -> None:
    """Events come back with their ids, and new ones go on from there; a torn line is passed over."""
    path = tmp_path / "events.jsonl"
    first = EventLog(str(path))
    first.open()
    first.add(TIME, [Event("web", "state", "a → b"), Event("", "x", "y")])
    with path.open("ab") as file:
        file.write(b'{"id": 3, "ti')
    second = EventLog(str(path))
    second.open()
    second.add(TIME, [Event("web", "state", "b → c")])
    third = EventLog(str(path))
    third.open()
    assert [(1, "a → b"), (2, "y"), (3, "b → c")] == [(row["id"], row["message"]) for row in third.since(0, 10)]
    assert [3] == [row["id"] for row in third.since(2, 10)]
    assert [3] == [row["id"] for row in third.since(0, 1)]
    assert [True, False] == [third.has(Event("web", "state", message)) for message in ("a → b", "b → a")]


def test_a_log_is_bounded(tmp_path: Path) -> None:
    """File and memory keep the newest within their limits."""
    path = tmp_path / "events.jsonl"
    log = EventLog(str(path), limit=20, file_limit=2000)
    for number in range(200):
        log.add(TIME, [Event("web", "state", str(number))])
    assert [str(number) for number in range(180, 200)] == [row["message"] for row in log.since(0, 1000)]
    assert 4000 >= sum(file.stat().st_size for file in tmp_path.iterdir())


def test_a_log_goes_on_without_its_file(tmp_path: Path) -> None:
    """When the file cannot be written, memory still has the events and the trouble is named."""
    log = EventLog(str(tmp_path / "missing" / "events.jsonl"))
    log.open()
    log.add(TIME, [Event("web", "state", "a → b")])
    assert (1, True) == (len(log.since(0, 10)), "No such file" in (log.trouble or ""))


def test_a_dataset_that_is_closed_falls_into_no_epoch() -> None:
    """What is not open has no known epoch: none falls to 0, and none rises from there."""
    opened, closed = status_json(a_node(a_dataset())), status_json(a_node(a_dataset(epoch=0)))
    told = [
        *happened_between(opened, closed),
        *happened_between(closed, opened),
        *happened_between(None, opened),
    ]
    assert ["it is in epoch 3"] == [event.message for event in told if event.code == "epoch"]


def test_a_verify_that_ended_is_an_event_on_both_nodes() -> None:
    """The standby's own, and as a connected peer tells it; what was known before is none."""
    verified = Verified(1, True, False, 0)
    bad = Verified(2, False, True, 3)
    told = PeerStanding(Standing("streaming"), 1)
    for old, new, messages in [
        (a_dataset(), a_dataset(last_verify=verified), ["the standby is equal to its commit (by names and metadata)"]),
        (a_dataset(last_verify=verified), a_dataset(last_verify=verified), []),
        (
            a_dataset(peers=(a_peer(told=told),)),
            a_dataset(peers=(a_peer(told=PeerStanding(Standing("streaming", verified=bad), 2)),)),
            ["the standby on beta has 3 differences (to the last byte)"],
        ),
        (
            a_dataset(peers=(a_peer(),)),
            a_dataset(peers=(a_peer(told=PeerStanding(Standing("streaming", verified=bad), 2)),)),
            [],
        ),
    ]:
        events = happened_between(status_json(a_node(old)), status_json(a_node(new)))
        assert messages == [event.message for event in events if event.code == "verified"]


def test_a_check_of_the_vault_is_told_with_its_result() -> None:
    """Once; not what was known before the vault was opened."""
    checks = [None, VaultCheck(5, 2048, 0, 0), VaultCheck(6, 2048, 3, 3), VaultCheck(7, 2048, 1, 0)]
    values = [status_json(a_node(a_dataset(vault=checked_vault(last)))) for last in checks]
    told = [
        (one.code, one.severity, one.message) for old, new in pairwise(values) for one in happened_between(old, new)
    ]
    assert [
        ("generations-verified", "info", "2.0 KiB of what the vault keeps was read, and is as it should be"),
        (
            "generations-verified",
            "warning",
            "2.0 KiB of what the vault keeps was read: 3 chunks are damaged, all put back",
        ),
        ("generations-verified", "error", "2.0 KiB of what the vault keeps was read: 1 chunk is damaged, 0 put back"),
    ] == told
    closed = status_json(a_node(a_dataset(vault=None)))
    assert [] == [one for one in happened_between(closed, values[1]) if one.code == "generations-verified"]
    assert [] == happened_between(values[1], values[1])


def checked_vault(last: VaultCheck | None) -> VaultFacts:
    """One of which a part was read."""
    return VaultFacts(5, None, None, None, None, VaultVerified(None, 0, last))


def test_nobody_else_reads_events(tmp_path: Path) -> None:
    """They name paths; the directory may be one that an operator made."""
    log = EventLog(str(tmp_path / "events.jsonl"))
    log.open()
    log.add("2026-11-29T20:00:00Z", [Event("web", "state", "streaming")])
    assert 0o600 == (tmp_path / "events.jsonl").stat().st_mode & 0o777
