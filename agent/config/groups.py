"""Datasets of one group that cannot be what a group is: moved, taken and brought back together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.config.schema import DatasetEntry


def torn_groups(entries: Sequence[DatasetEntry]) -> Iterator[str]:
    """A sentence for each way in which the datasets of a group differ where they must not, with what to do."""
    groups: dict[str, list[DatasetEntry]] = {}
    for one in entries:
        if one.group:
            groups.setdefault(one.group, []).append(one)
    for group, members in sorted(groups.items()):
        yield from _torn(group, sorted(members, key=lambda one: one.name))


def _torn(group: str, members: Sequence[DatasetEntry]) -> Iterator[str]:
    if primaries := _differing(members, [one.primary for one in members]):
        yield (
            f"group {group}: its datasets begin on several primaries ({primaries}): no moment is of all of them; write one "
            "primary, or hikae switchover brings them to one node"
        )
    if standbys := _differing(members, [" and ".join(sorted(one.standby)) for one in members]):
        yield (
            f"group {group}: its datasets have several standbys ({standbys}): hikae generations take --group {group} is refused; "
            "write the same standby for each, or leave the group out of one"
        )
    schedules = [one.generations.schedule or "none" for one in members]
    if scheduled := _differing(members, [f'"{line}"' for line in schedules]):
        yield (
            f"group {group}: its datasets have several generations.schedule ({scheduled}): each is taken by itself, of no one "
            "moment; write the same for each"
        )
    if len({(one.generations.keep, one.generations.immutable_for) for one in members}) > 1:
        names = ", ".join(one.name for one in members)
        yield (
            f"group {group}: its datasets ({names}) keep generations by several rules: of an old moment some parts go before the "
            "others; write the same generations.keep and immutable_for for each"
        )


def _differing(members: Sequence[DatasetEntry], values: Sequence[str]) -> str:
    """Who has which, in words; "" where all have the same."""
    if len(set(values)) < 2:
        return ""
    return ", ".join(f"{one.name}: {value or 'none'}" for one, value in zip(members, values, strict=True))
