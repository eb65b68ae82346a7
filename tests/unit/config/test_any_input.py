"""Whatever stands in the files: settings or mistakes, never another error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import ConfigMistakes, Settings, load
from agent.config.schema import EXAMPLES, known_keys
from agent.config.show import toml

WORDS = ["alpha", "beta", "/srv/web", "/srv", "24h", "30%", "none", "tree", "", "\0", "a b", "0 3 * * *", "\u2028"]
SCALARS = st.one_of(st.sampled_from(WORDS), st.booleans(), st.integers(-3, 10**12), st.text(max_size=5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
)


def _table(place: str) -> st.SearchStrategy[Any]:
    """A table with some of the keys that belong there, and values that may not."""
    keys = known_keys(place)
    if not keys:
        return VALUES
    prefix = f"{place}." if place else ""
    return st.fixed_dictionaries({}, optional={key: st.one_of(_table(prefix + key), VALUES) for key in keys})


def _lists(table: dict[str, Any]) -> dict[str, Any]:
    """The keys that hold several tables do so."""
    return {key: (value, value) if key in ("peer", "dataset") else value for key, value in table.items()}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_table("").map(_lists))
def test_any_tables(tmp_path: Path, tables: dict[str, Any]) -> None:
    """Known keys with values of any kind are taken, or every mistake has a file, a key and words."""
    path = tmp_path / "agent.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in tables.items()))
    found: Settings | ConfigMistakes
    try:
        found = load(str(path))
    except ConfigMistakes as error:
        found = error
    mistakes = found.mistakes if isinstance(found, ConfigMistakes) else ()
    assert all(mistake.place and mistake.message for mistake in mistakes)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_any_bytes(tmp_path: Path, noise: bytes) -> None:
    """Files that are no TOML at all are refused with words."""
    path = tmp_path / "agent.toml"
    path.write_bytes(noise)
    with pytest.raises(ConfigMistakes):
        load(str(path))


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = " + "[" * 5000, "a = '\\u001b'", '"\\u001b[31m" = 1'])
def test_hostile_files(tmp_path: Path, text: str) -> None:
    """Endless numbers, endless nesting and keys with control characters are refused, in printable words of one line each."""
    (tmp_path / "agent.toml").write_text(text)
    with pytest.raises(ConfigMistakes) as caught:
        load(str(tmp_path / "agent.toml"))
    assert all(str(mistake).isprintable() for mistake in caught.value.mistakes)


@pytest.mark.parametrize("key", [key for key in EXAMPLES if not known_keys(key)])
def test_every_key_refuses_a_float(tmp_path: Path, key: str) -> None:
    """No key takes a number with a fraction, and each says so under its own name."""
    table, _, last = key.rpartition(".")
    nested = f"{last} = 1.5"
    for part in reversed(table.split(".")):
        nested = f"{part} = {'[{' if part in _LISTS else '{'} {nested} {'}]' if part in _LISTS else '}'}"
    (tmp_path / "agent.toml").write_text(nested + "\n")
    with pytest.raises(ConfigMistakes) as caught:
        load(str(tmp_path / "agent.toml"))
    assert any(mistake.key.rpartition(".")[2] == last and "1.5" in mistake.message for mistake in caught.value.mistakes)


_LISTS = ("peer", "dataset", "first_sync", "steady")
