"""``config check`` and ``config show``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import chain
from typing import TYPE_CHECKING

import click

from agent.cli.context import Context
from agent.cli.groups import Group
from agent.cli.output import answer_json, json_option, remark, say
from agent.config import ConfigMistakes, load, show
from agent.config.values import Settings
from agent.core.clock import SystemClock
from agent.core.errors import ConfigError, NotFound
from agent.status.figures import size_text
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.capture.preview import Preview


@click.group(cls=Group)
def config() -> None:
    """Check or show the configuration."""


@config.command()
@click.option(
    "--files", "dataset", metavar="DATASET", help="Also list what its rules take and leave, below its path here."
)
@json_option
@click.pass_obj
def check(context: Context, dataset: str | None, as_json: bool) -> None:
    """Read the configuration and the files that it names, with the eyes of the agent at its start.

    Every mistake is told at once; exit code 78 when there is one. --files is a dry run of exclude and include: a line for each
    file and directory, with the rule that decided; with --json an object for each."""
    # Only here: certificates take a while to import.
    from agent.pki import startable
    from agent.roles.assignment import ignored_primaries

    try:
        settings = load(context.config_path)
        startability = startable.check_startable(settings, SystemClock().now_ns())
    except ConfigError as error:
        if as_json:
            answer_json(_not_good(context.config_path, error))
        raise
    if dataset is not None:
        _list_files(settings, dataset, as_json)
        return
    disks = (_not_followed(settings), _on_own_disk(settings), _beside_own_state(settings))
    told = (
        startability,
        ignored_primaries(settings),
        _starting_at_boot(settings),
        _no_source(settings),
        *disks,
        _without_snapshots(settings),
    )
    warnings = [*settings.warnings, *chain.from_iterable(told)]
    if as_json:
        answer_json({"ok": True, "files": list(settings.source_files), "warnings": warnings})
        return
    _warn(warnings)
    count = len(settings.datasets)
    say(f"{', '.join(settings.source_files)}: good, {count} dataset{'' if count == 1 else 's'} on {settings.node.name}")


def _not_good(path: str, error: ConfigError) -> dict[str, object]:
    """As what is good, with each mistake."""
    mistakes = [str(one) for one in error.mistakes] if isinstance(error, ConfigMistakes) else [str(error)]
    return {"ok": False, "files": [path], "warnings": [], "mistakes": mistakes}


def _no_source(settings: Settings) -> Iterator[str]:
    """A sentence for each tree that this node is to begin with as the primary, and that is not there."""
    for dataset in settings.datasets:
        if dataset.primary == settings.node.name and not dataset.is_device and not os.path.isdir(dataset.path):
            yield f"dataset[{dataset.name}].path: there is no {dataset.path}; nothing is captured until it is there"


def _not_followed(settings: Settings) -> Iterator[str]:
    """A sentence for each device whose changes could not be noticed here."""
    from agent.watch.blocks.outlook import tracking_outlook

    for dataset in settings.datasets:
        if dataset.is_device and (missing := tracking_outlook(dataset.path).missing):
            yield (
                f"dataset[{dataset.name}].path: changes of its blocks cannot be noticed: {missing}; "
                "all of it is read for each commit"
            )


def _without_snapshots(settings: Settings) -> Iterator[str]:
    """A sentence for each tree whose generations would be of a snapshot that cannot be made here."""
    from agent.capture.access.kept_moment import why_no_snapshot

    for dataset in settings.datasets:
        if dataset.quiesce == "btrfs" and not dataset.is_device and (why := why_no_snapshot(dataset.path)):
            yield (
                f"dataset[{dataset.name}].quiesce: no snapshot can be made of {dataset.path}: {why}; each file of "
                'a generation is whole, and no more; write "freeze" for a moment'
            )


def _on_own_disk(settings: Settings) -> Iterator[str]:
    """A sentence for each device that holds the agent's own state."""
    from agent.capture.device.mounted import stands_on

    for dataset in settings.datasets:
        if dataset.is_device and stands_on(settings.node.state_dir, dataset.path):
            yield (
                f"dataset[{dataset.name}].path: state_dir ({settings.node.state_dir}) lies on it, so each commit changes what is "
                "replicated, and another follows; put state_dir on another disk where you can"
            )


def _beside_own_state(settings: Settings) -> Iterator[str]:
    """A sentence for each standby's image that would fill the filesystem of the agent's own state."""
    from agent.fs.block_device import is_block_device

    state = settings.node.state_dir
    for dataset in settings.datasets:
        is_standby = dataset.is_device and dataset.primary != settings.node.name
        above = os.path.dirname(dataset.path)
        if is_standby and not is_block_device(dataset.path) and _on_one_filesystem(above, state):
            yield (
                f"dataset[{dataset.name}].path: the standby's image lies on the filesystem of state_dir ({state}), and grows "
                "there to what the primary's device holds; put it on another filesystem, or name a block device"
            )


def _on_one_filesystem(one: str, other: str) -> bool:
    """Whether two directories lie on one filesystem, or would if they were made."""
    try:
        return os.stat(_nearest(one)).st_dev == os.stat(_nearest(other)).st_dev
    except OSError:
        return False


def _nearest(directory: str) -> str:
    """The directory, or what of the way to it is there."""
    while not os.path.exists(directory):
        directory = os.path.dirname(directory)
    return directory


def _starting_at_boot(settings: Settings) -> Iterator[str]:
    """A sentence for each dataset whose application the service manager would start by itself."""
    from agent.steps.at_boot import ask_systemctl, boot_remedy, boot_sentence, enabled_units
    from agent.steps.started import started_units

    for dataset in settings.datasets:
        units = enabled_units(started_units(dataset.hooks.start), ask_systemctl)
        if units:
            yield f"dataset[{dataset.name}].hooks.start: {boot_sentence(dataset.name, units)}; {boot_remedy(units)}"


@config.command(name="show")
@json_option
@click.pass_obj
def show_(context: Context, as_json: bool) -> None:
    """The configuration in force, with every default filled in."""
    settings = load(context.config_path)
    if as_json:
        answer_json(_plain(settings))
    else:
        _warn(settings.warnings)
        click.echo(show(settings), nl=False)


def _list_files(settings: Settings, name: str, as_json: bool) -> None:
    """Taken and left, and at the end how many of each; ``NotFound`` for a dataset or path that is not there."""
    from agent.capture.exclude import Rules
    from agent.capture.preview import previewed
    from agent.config.nesting import mount_points
    from agent.config.own_places import left_out_by_rule

    dataset = next((one for one in settings.datasets if one.name == name), None)
    if dataset is None:
        known = ", ".join(one.name for one in settings.datasets) or "none"
        raise NotFound("list the files", name, "there is no such dataset", f"the configuration has: {known}")
    if dataset.is_device:
        raise NotFound("list the files", name, "it is a device, which has no files", "leave --files out for it")
    rules = Rules(dataset.exclude, dataset.include, left_out_by_rule(dataset, settings))
    taken = left = size = 0
    try:
        for one in previewed(os.fsencode(dataset.path), rules, frozenset(map(os.fsencode, mount_points()))):
            left, taken, size = left + one.left, taken + (not one.left), size + one.bytes
            _say_file(one, as_json)
    except OSError as error:
        raise NotFound("list the files", dataset.path, error.strerror or str(error), "is it mounted?") from error
    remark(f"{taken:,} are taken, {size_text(size)}; {left:,} are left, with all below them")


def _say_file(one: Preview, as_json: bool) -> None:
    path = shown(one.path) + ("/" if one.is_dir else "")
    if as_json:
        answer_json({"path": path, "taken": not one.left, "rule": one.rule})
    else:
        say(f"{'leave' if one.left else 'take ':5}  {path}" + (f"    ({one.rule})" if one.rule else ""))


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        remark(f"warning: {warning}")


def _plain(value: object) -> object:
    """What JSON can hold: dataclasses and mappings as objects, bytes as hex."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {os.fspath(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
