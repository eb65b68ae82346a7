"""What is written rightly and cannot do what is meant: a rule that is never reached, a path without files, a peer that is us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.config.devices import own_place
from agent.config.mistakes import Mistake, closest
from agent.config.patterns import compiled
from agent.config.resolve import WrittenDataset, inside
from agent.config.units import format_hours, shown_value
from agent.config.values import ConsoleSettings, HealthSettings, Limit, NodeSettings, Peer

_DAY = 1440
#: Names as nobody gives them: rules that leave all of these out leave out everything.
_ANY_NAMES = ("q7-x", "q7-x/", ".q7-x", "Q7 x.y7", "q7-x.y7/")
#: Filesystems of the kernel's own, which hold nothing that can be kept; ``/dev/shm`` is one for files.
_KERNEL = ("/proc", "/sys", "/dev")
_FILES = "/dev/shm"  # noqa: S108 - only to tell paths apart
_ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - as it is written


def meant(
    main: str,
    node: NodeSettings,
    health: HealthSettings,
    console: ConsoleSettings,
    peers: Sequence[Peer],
    written: Sequence[WrittenDataset],
) -> list[Mistake]:
    """Everything of that kind. ``main``: the file that holds all but datasets."""
    mistakes = [*_doors(main, node, health, console), *_ourselves(main, node, peers)]
    known = [node.name, *(peer.name for peer in peers)]
    for each in written:
        mistakes += [*_rules(each), *_quiesce(each), *_limits(each)]
        if node.name in each.entry.nodes:
            mistakes += _path(each, node.name)
        elif each.raw.file == main:
            mistakes += _nobody(each, known)
    return mistakes


def _path(each: WrittenDataset, node: str) -> Iterator[Mistake]:
    path = each.entry.path_on(node)
    if path is not None and each.entry.kind == "device":
        yield from own_place(each, path)
    elif path is not None and kernels_own(path):
        text = f"{shown_value(path)} lies in a filesystem of the kernel's own, not of files; write the path of a tree"
        yield each.mistake("path", text)


def _nobody(each: WrittenDataset, known: Sequence[str]) -> Iterator[Mistake]:
    """A dataset of nodes that we know nothing of is passed over; one that a peer keeps of a primary that is nobody is a slip."""
    primary = each.entry.primary
    if primary not in known and not set(known).isdisjoint(each.entry.standby):
        yield each.mistake("primary", f'"{primary}" is neither this node nor a [[peer]]; {closest(primary, known)}')


def kernels_own(path: str) -> bool:
    """Whether a path lies where there are no files to keep."""
    return any(inside(path, place) for place in _KERNEL) and not inside(path, _FILES)


def _doors(main: str, node: NodeSettings, health: HealthSettings, console: ConsoleSettings) -> Iterator[Mistake]:
    doors = [("node.listen", node.listen), ("health.listen", health.listen), ("console.listen", console.listen)]
    if health.agent_check is not None:
        doors.append(("health.agent_check", health.agent_check))
    for number, (key, address) in enumerate(doors):
        for other, taken in doors[:number]:
            if _meet(address, taken):
                yield Mistake(main, key, f"{shown_value(address)} is taken by {other}; write another port")


def _ourselves(main: str, node: NodeSettings, peers: Sequence[Peer]) -> Iterator[Mistake]:
    host, _, port = node.listen.rpartition(":")
    ours = [node.listen, *(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]") if host in _ANYWHERE)]
    for peer in peers:
        if peer.address in ours:
            text = f"{shown_value(peer.address)} is where {node.name} itself listens; write where {peer.name} does"
            yield Mistake(main, f"peer[{peer.name}].address", text)


def _meet(one: str, other: str) -> bool:
    """Whether two addresses cannot both be listened at."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    return port == other_port and (host == other_host or host in _ANYWHERE or other_host in _ANYWHERE)


def _rules(each: WrittenDataset) -> Iterator[Mistake]:
    entry = each.entry
    for number, pattern in enumerate(entry.exclude, 1):
        path = next((path for path in map(entry.path_on, entry.nodes) if path and inside(pattern, path)), None)
        if path is not None:
            inner = pattern[len(path) :] or "/**"
            text = f"{shown_value(pattern)} never matches: patterns begin at the dataset's root; write {shown_value(inner)}"
            yield each.mistake(f"exclude[{number}]", text)
    spec = compiled(entry.exclude)
    if entry.exclude and not entry.include and all(map(spec.match_file, _ANY_NAMES)):
        yield each.mistake(
            "exclude", "leaves out everything; write what is to be left out, or what is to stay in include"
        )


def _quiesce(each: WrittenDataset) -> Iterator[Mistake]:
    if each.entry.quiesce == "reflink":
        text = (
            '"reflink" makes no moment: files are cloned one after the other, and what is written meanwhile is in one clone and '
            'not in another; write "freeze", or on btrfs "btrfs", or "none" for files that are each whole'
        )
        yield each.mistake("quiesce", text)


def _limits(each: WrittenDataset) -> Iterator[Mistake]:
    for key, limits in (("first_sync", each.entry.limits.first_sync), ("steady", each.entry.limits.steady)):
        reached: set[int] = set()
        for number, limit in enumerate(limits, 1):
            minutes = _minutes(limit)
            place = f"limits.{key}[{number}]"
            if limit.hours is None and limit.rate is None:
                yield each.mistake(place, "says nothing; write hours or a rate, or leave it out")
            elif minutes <= reached:
                hours = format_hours(limit.hours) if limit.hours else "the whole day"
                text = f"is never reached: entries before it hold for {hours} already, and the first one counts"
                yield each.mistake(place, f"{text}; put it before them, or leave it out")
            reached |= minutes


def _minutes(limit: Limit) -> set[int]:
    """Of the local day, those for which an entry holds."""
    if limit.hours is None:
        return set(range(_DAY))
    start, end = limit.hours
    return set(range(start, end)) if start < end else {*range(start, _DAY), *range(end)}
