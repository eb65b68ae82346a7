"""Files → tables. Nothing is believed of a table yet but that it is TOML."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field

from agent.config.mistakes import Mistake, closest
from agent.config.units import shown_value

#: tomllib says where, in its message only (attributes of their own come with Python 3.14).
_WHERE = re.compile(r" \(at line (\d+), column (\d+)\)$")

FOLDER = "datasets.d"


@dataclass(frozen=True, slots=True)
class RawDataset:
    """One ``[[dataset]]`` as it stands in a file, the ``number``-th there (from 1)."""

    file: str
    number: int
    table: dict[str, object]

    @property
    def label(self) -> str:
        """``dataset[web]``, or by number where it has no name."""
        name = self.table.get("name")
        return f"dataset[{name if isinstance(name, str) and name.isprintable() else f'#{self.number}'}]"


@dataclass(slots=True)
class Sources:
    """What the files hold. ``tables`` is the main file's, without its datasets; None when it could not be read."""

    main: str
    tables: dict[str, object] | None = None
    datasets: list[RawDataset] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)


def read_files(path: str) -> Sources:
    """The main file and ``datasets.d/*.toml`` beside it, in the order of their names."""
    sources = Sources(path)
    sources.tables = _parse(sources, path)
    if sources.tables is not None:
        _take_datasets(sources, path, sources.tables)
    for file in _folder(sources, os.path.join(os.path.dirname(path), FOLDER)):
        table = _parse(sources, file)
        if table is not None:
            _take_datasets(sources, file, table)
            _refuse_others(sources, file, table)
    return sources


def _parse(sources: Sources, file: str) -> dict[str, object] | None:
    sources.files.append(file)
    try:
        with open(file, "rb") as stream:
            return tomllib.load(stream)
    except tomllib.TOMLDecodeError as error:
        text, where = str(error), ""
        if match := _WHERE.search(text):
            text, where = text[: match.start()], f":{match[1]}:{match[2]}"
        sources.mistakes.append(Mistake(file + where, "", f"is no TOML: {text}"))
    except UnicodeDecodeError as error:
        sources.mistakes.append(Mistake(file, "", f"is not in UTF-8 (byte {error.start}); save it in UTF-8"))
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets a thousand deep
        sources.mistakes.append(Mistake(file, "", f"is no TOML that can be read: {error}"))
    except FileNotFoundError:
        remedy = "write it, or name another by --config or HIKAE_CONFIG"
        sources.mistakes.append(Mistake(file, "", f"does not exist; {remedy}"))
    except OSError as error:
        sources.mistakes.append(Mistake(file, "", f"cannot be read ({error.strerror}); make it readable for this user"))
    return None


def _folder(sources: Sources, folder: str) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".toml") and not name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        sources.mistakes.append(
            Mistake(folder, "", f"cannot be listed ({error.strerror}); make it a readable directory")
        )
        return []
    return [os.path.join(folder, name) for name in names]


def _take_datasets(sources: Sources, file: str, table: dict[str, object]) -> None:
    entries = table.pop("dataset", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        sources.mistakes.append(
            Mistake(file, "dataset", f"{shown_value(entries)} is no list of tables; write [[dataset]]")
        )
        return
    sources.datasets += [RawDataset(file, number, entry) for number, entry in enumerate(entries, 1)]


def _refuse_others(sources: Sources, file: str, table: dict[str, object]) -> None:
    for key in table:
        hint = closest(key, ["dataset"]) if key.startswith("data") else f"write it into {sources.main}"
        sources.mistakes.append(Mistake(file, key, f"only [[dataset]] may stand in {FOLDER}; {hint}"))
