"""What a dataset leaves behind that is no longer configured, and its end: its catalog, local facts and vault. Trees are never
touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.config.rules import dataset_name
from agent.core.errors import NotFound, StoreFailed, UsageError
from agent.fs.durable import sync_dir, write_durably

#: In a dataset's own directory: where its vault is, if it is elsewhere.
VAULT_PLACE = "vault.place"
#: Before the name of what is being deleted; no dataset's name begins so.
_GOING = ".removed-"
#: What a vault consists of; whatever else lies beside it was put there by somebody.
_OF_A_VAULT = ("packs", "durable.end", "index.db", "standby.db")


@dataclass(frozen=True, slots=True)
class Part:
    """``what`` for an operator; ``paths`` on this machine; ``size``: bytes that they take on the disk."""

    what: str
    paths: tuple[Path, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Leftover:
    """All of one dataset: ``home``, where its state lies, and ``vault``, where its vault does if that is elsewhere; either may be
    half deleted already."""

    name: str
    home: Path
    vault: Path | None
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes that go."""
        return sum(part.size for part in self.parts)


def note_vault(home: Path, vault: Path) -> None:
    """Remember where a dataset's vault is, for when no configuration says so any more. Raises ``OSError``."""
    noted, wanted = home / VAULT_PLACE, b"" if vault.parent == home else os.fsencode(vault)
    if (noted.read_bytes() if noted.exists() else b"") != wanted:
        write_durably(str(noted), wanted)


def find_leftover(datasets: Path, name: str) -> Leftover:
    """What is kept of a dataset; ``datasets``: where the state of all of them lies.

    Raises ``UsageError`` for what is no name, ``NotFound`` where nothing is kept."""
    try:
        dataset_name(name)
    except ValueError as error:
        raise UsageError("remove the dataset", name, str(error), "hikae dataset remove NAME") from error
    home = datasets / name
    if not any(one.is_dir() for one in _both(home)):
        raise NotFound("remove the dataset", name, "nothing of it is kept on this node", _others(datasets))
    vault = next(filter(None, map(_noted_vault, _both(home))), None)
    return Leftover(name, home, vault, tuple(_parts(home, vault)))


def set_aside(leftover: Leftover) -> None:
    """Take it out of the way, so that a dataset of this name would begin anew. Quick. Raises ``StoreFailed``."""
    for place in (leftover.vault, leftover.home):
        if place is not None and place.is_dir():
            _delete(leftover, _going(place), place)
            try:
                os.rename(place, _going(place))
            except OSError as error:
                raise _failed(leftover, place, error) from error


def delete(leftover: Leftover) -> tuple[Path, ...]:
    """Delete what was set aside, and wait until that is durable. What lies in the vault's directory and is none of it stays:
    those paths. Raises ``StoreFailed``; the same call goes on then."""
    left: tuple[Path, ...] = ()
    if leftover.vault is not None:
        left = _delete(leftover, _going(leftover.vault), leftover.vault)
    _delete(leftover, _going(leftover.home), leftover.home)
    return left


def _delete(leftover: Leftover, going: Path, place: Path) -> tuple[Path, ...]:
    if not going.is_dir():
        return ()
    try:
        if place == leftover.home:
            _delete_home(going)
        else:
            _delete_vault(going)
        left = _put_back(going, place)
        sync_dir(str(place.parent))
    except OSError as error:
        raise _failed(leftover, going, error) from error
    return left


def _delete_home(going: Path) -> None:
    """Also where somebody put it on another disk, with a link in its place."""
    shutil.rmtree(going.resolve())
    if going.is_symlink():
        going.unlink()


def _delete_vault(going: Path) -> None:
    for path in _vault_files(going):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    with suppress(OSError):  # somebody's files are in it
        going.rmdir()


def _put_back(going: Path, place: Path) -> tuple[Path, ...]:
    """What is none of ours goes back under its name."""
    if not going.is_dir():
        return ()
    if place.exists():
        return tuple(sorted(going.iterdir()))
    os.rename(going, place)
    return tuple(sorted(place.iterdir()))


def _parts(home: Path, vault: Path | None) -> Iterator[Part]:
    inside = [path for one in _both(home) if one.is_dir() for path in sorted(one.iterdir())]
    vaults = [path for path in inside if path.name == "vault"]
    if vault is not None:
        vaults += [path for one in _both(vault) if one.is_dir() for path in _vault_files(one)]
    named = {
        "catalog": [path for path in inside if path.name.startswith("catalog.db")],
        "local facts": [path for path in inside if path.name.startswith("local.")],
        "vault": vaults,
    }
    known = {path for paths in named.values() for path in paths}
    named["other state"] = [path for path in inside if path not in known]
    for what, paths in named.items():
        if paths:
            yield Part(what, tuple(paths), sum(map(_size, paths)))


def _vault_files(place: Path) -> list[Path]:
    names = sorted(place.iterdir())
    return [path for path in names if path.name in _OF_A_VAULT or path.name.rsplit("-", 1)[0] in _OF_A_VAULT]


def _noted_vault(home: Path) -> Path | None:
    """Only a directory of the dataset's own name, which nothing leads elsewhere, is believed to be its vault."""
    try:
        place = Path(os.fsdecode((home / VAULT_PLACE).read_bytes()))
    except OSError:
        return None
    fits = place.is_absolute() and place.name == home.name.removeprefix(_GOING)
    return place if fits and not any(one.is_symlink() for one in _both(place)) else None


def _both(place: Path) -> tuple[Path, Path]:
    """As it is called, and while it is being deleted."""
    return place, _going(place)


def _going(place: Path) -> Path:
    return place.with_name(_GOING + place.name)


def _size(path: Path) -> int:
    """Bytes on the disk of a file, or of all below a directory; what goes meanwhile counts nothing."""
    total = 0
    with suppress(OSError):
        total = os.lstat(path).st_blocks * 512
    for directory, names, files in os.walk(path):
        for name in (*names, *files):
            with suppress(OSError):
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
    return total


def _others(datasets: Path) -> str:
    try:
        names = sorted({path.name.removeprefix(_GOING) for path in datasets.iterdir() if path.is_dir()})
    except OSError:
        names = []
    return f"state is kept of: {', '.join(names) or 'none'}"


def _failed(leftover: Leftover, place: Path, error: OSError) -> StoreFailed:
    remedy = f"look at that path, then type it again: hikae dataset remove {leftover.name}"
    return StoreFailed("remove the dataset", str(place), error.strerror or str(error), remedy)
