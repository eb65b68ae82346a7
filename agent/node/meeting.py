"""What two nodes find out about each other when they meet: releases, versions of the protocol, configurations, kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent import __version__
from agent.config.values import Dataset
from agent.core.ids import NO_EPOCH, NOTHING, Epoch
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import AHEAD, CONFIG_DIFFERS, KIND_DIFFERS, NOT_PRIMARY, NOT_STANDBY, VERSION
from agent.stream.messages import CREDIT, Answers, Hello, Refuse, SecondaryPart, Welcome
from agent.stream.versions import SPOKEN, agree

SAME = "make the configuration of both nodes the same"


def peers_that_differ(ours: bytes, theirs: Mapping[str, bytes]) -> tuple[str, ...]:
    """The peers whose digest is another than ours, by name. An empty one says nothing: that release did not tell."""
    return tuple(sorted(peer for peer, digest in theirs.items() if digest and digest != ours))


def tell_configs(board: ProblemBoard, dataset: Dataset, theirs: Mapping[str, bytes], now_ns: int) -> None:
    """Say whose configuration of the dataset is another one, or that all are the same again.

    Replication goes on: what to leave out is decided by the primary alone, and the rest decides about role changes."""
    peers = peers_that_differ(dataset.digest, theirs)
    if not peers:
        board.clear(CONFIG_DIFFERS)
        return
    message = f"dataset {dataset.name} is configured otherwise on {' and '.join(peers)} than here"
    remedy = (
        f"compare hikae config show on both and make {dataset.name} the same (a node's own are only reconcile, adopt, "
        "history, vault, watch, generations, brake, limits, device and hooks); then, where the file changed: hikae reload"
    )
    board.put(Problem(CONFIG_DIFFERS, Severity.WARNING, now_ns, b"", message, remedy))


def why_unfit(node: str, dataset: Dataset, hello: Hello) -> Refuse | None:
    """Why what the primary calls by this name cannot be kept here; None when it can."""
    if hello.kind in ("", dataset.kind):
        return None
    reason = f"{dataset.name} is a {dataset.kind} on {node} and a {hello.kind} on {hello.node}"
    return Refuse(KIND_DIFFERS, reason, SAME)


def introduced(answers: Answers, dataset: Dataset) -> Answers:
    """The answers with what the other side should know of this node."""
    return tuple(
        replace(part, program=__version__, config_digest=dataset.digest) if isinstance(part, Welcome) else part
        for part in answers
    )


def not_primary(node: str, primary: str, hello: Hello, *, recorded: bool, known: int) -> Refuse:
    """What ``node``, which takes another one for the primary, answers; ``recorded``: its state says so, else its configuration
    does; ``known``: the highest epoch that it has met. Only who owns an epoch fences another by it (law 6)."""
    reason = f"{hello.node} is not the primary of {hello.dataset} here: {primary} is"
    if not recorded:
        return Refuse(NOT_PRIMARY, reason, SAME)
    if known > hello.epoch.number:
        remedy = (
            f"mend the link between {hello.node} and {primary}, which do not meet, so that both may serve; "
            f"until then, on {hello.node}: hikae fence {hello.dataset}"
        )
        return Refuse(NOT_PRIMARY, f"{reason}, in epoch {known}", remedy)
    remedy = f"see hikae status on {node} and {primary}; if {hello.node} is to be the primary, promote it"
    return Refuse(NOT_PRIMARY, reason, remedy)


def is_ahead(node: str, hello: Hello) -> Refuse:
    """What ``node``, a standby with something that the new primary lacks, answers to it."""
    reason = f"{node} has received what {hello.node}, the primary in epoch {hello.epoch.number}, has not"
    return Refuse(NOT_PRIMARY, reason, f"on {node}: hikae rejoin {hello.dataset} (what only it has is kept there)")


def tell_ahead(board: ProblemBoard, dataset: Dataset, hello: Hello, now_ns: int) -> None:
    """On that standby: say so."""
    message = f"{hello.node} was promoted, in epoch {hello.epoch.number}, and lacks commits that this node received"
    remedy = (
        f"to follow it: hikae rejoin {dataset.name} (what only this node has becomes a generation); "
        f"or, if this node is the one to go on: hikae promote {dataset.name} --force"
    )
    board.put(Problem(AHEAD, Severity.ERROR, now_ns, b"", message, remedy))


def not_standby(node: str, dataset: Dataset, own: Epoch, hello: Hello, met: Epoch) -> Answers:
    """What ``node``, the primary in epoch ``own``, answers to another one: the highest epoch that it has ``met``, provenly, and
    that it takes nothing."""
    refuse = Refuse(NOT_STANDBY, *_two_primaries(node, dataset.name, own, hello), own.number)
    version = agree(SPOKEN, hello.versions)
    if version is None:
        return (refuse,)
    welcome = Welcome(node, NO_EPOCH, NOTHING, b"", NOTHING, CREDIT, version, met=met)
    return introduced((welcome, refuse), dataset)


def _two_primaries(node: str, dataset: str, own: Epoch, hello: Hello) -> tuple[str, str]:
    """What is so where ``node``, the primary in epoch ``own``, meets another one, and on which of both to type what. Pure."""
    number, theirs = own.number, hello.epoch.number
    rejoin = f"hikae rejoin {dataset} (what only it has is kept first)"
    if number < theirs:
        return f"{node} was the primary of {dataset}, in epoch {number}, and serves nobody now", f"on {node}: {rejoin}"
    if number > theirs:
        return f"{node} is the primary of {dataset}, in epoch {number}, which is later", f"on {hello.node}: {rejoin}"
    reason = f"{node} is the primary of {dataset} too, in an epoch {number} of its own: both were promoted apart"
    return reason, f"on the one that is to go on: hikae serve {dataset} --alone; on the other: {rejoin}"


def tell_version(board: ProblemBoard, answer: SecondaryPart, now_ns: int) -> None:
    """On the secondary: say that the primary was refused for the version that it speaks, or that it no longer is."""
    if isinstance(answer, Refuse) and answer.code == VERSION:
        board.put(Problem(VERSION, Severity.ERROR, now_ns, b"", answer.reason, answer.remedy))
    else:
        board.clear(VERSION)
