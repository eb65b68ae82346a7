"""The check that every problem's code is registered, used, and as severe as registered."""

from __future__ import annotations

from pathlib import Path

from agent.core.problem_codes import PROBLEM_CODES, ROOT_GONE, SOCKET_SKIPPED
from house.problem_codes import mistakes
from house.source import Module, Source, read_source

_ROOT = Path(__file__).parents[3]


def _source(text: str) -> Source:
    return Source(_ROOT, (Module(Path("agent/x.py"), text),), ())


def test_every_problem_takes_its_code_from_the_registry() -> None:
    """In the source as it stands no code is written as text, none is unused, and no severity is another than registered."""
    assert [] == mistakes(read_source(_ROOT))


def test_a_code_that_is_written_as_text_is_found() -> None:
    """Where it stands is named."""
    codes = {str(ROOT_GONE): ROOT_GONE}
    said = mistakes(_source("a = ROOT_GONE\nb = 'root-gone'\n"), codes)
    assert ["agent/x.py:2: 'root-gone' is a problem's code: take it from agent/core/problem_codes"] == said


def test_a_code_that_nothing_uses_is_found() -> None:
    """It would stand in the documentation for nothing."""
    codes = {str(ROOT_GONE): ROOT_GONE}
    assert ["agent/core/problem_codes: nothing has the code root-gone"] == mistakes(_source(""), codes)


def test_a_severity_that_is_not_registered_is_found() -> None:
    """A problem must not matter more or less than the documentation says."""
    codes = {str(SOCKET_SKIPPED): SOCKET_SKIPPED}
    for call in (
        "Problem(SOCKET_SKIPPED, Severity.ERROR, 0, b'', '', '')",
        "say(SOCKET_SKIPPED, path, Severity.ERROR)",
    ):
        said = mistakes(_source(call), codes)
        assert ["agent/x.py:1: socket-skipped is never error, says agent/core/problem_codes"] == said


def test_every_code_says_what_it_means() -> None:
    """Meaning and way out are sentences of the documentation: none is empty, and no word stands there twice."""
    named = [code for code in PROBLEM_CODES.values() if code.means.endswith(".") and code.remedy and code.severities]
    assert list(PROBLEM_CODES.values()) == named
