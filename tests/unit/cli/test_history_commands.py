"""``find`` and ``generations diff`` as people read them."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from agent.cli.context import Context
from agent.cli.main import main
from agent.operations.comparing import DiffRequest, FindRequest
from agent.operations.declaration import AnswerT, Json, Progress, Request

Captured = pytest.CaptureFixture[str]
ENTRIES: list[Json] = [
    {"what": "added", "path": "new", "kind": "file", "bytes": 3, "bytes_before": 0, "differs": []},
    {"what": "changed", "path": "d/f", "kind": "file", "bytes": 9, "bytes_before": 5, "differs": ["content", "mtime"]},
    {"what": "moved", "path": "e", "from": "d", "kind": "directory", "bytes": 0, "bytes_before": 0, "differs": []},
    {"what": "deleted", "path": "l", "kind": "symlink", "bytes": 0, "bytes_before": 0, "differs": []},
    {
        "what": "changed",
        "path": "t",
        "kind": "file",
        "kind_before": "directory",
        "bytes": 1,
        "bytes_before": 0,
        "differs": ["type", "mode"],
        "names": 2,
    },
]
FOUND: Json = {
    "path": "etc/a.conf",
    "first": "2026-11-22T02:13:05.000000Z",
    "last": "2026-11-22T03:00:00.000000Z",
    "versions": 2,
    "deleted": "2026-11-22T04:00:00.000000Z",
    "kind": "file",
    "bytes": 2048,
    "node": "beta",
    "history": [
        {
            "first": "2026-11-22T02:13:05.000000Z",
            "last": "2026-11-22T02:13:05.000000Z",
            "kind": "file",
            "bytes": 5,
            "mtime": "2026-11-22T02:13:01.000000Z",
            "command": "hikae restore web --generation G --from beta --to DIR etc/a.conf",
        },
        {
            "first": "2026-11-22T03:00:00.000000Z",
            "last": "2026-11-22T03:00:00.000000Z",
            "kind": "file",
            "bytes": 2048,
            "mtime": "2026-11-22T02:59:00.000000Z",
            "command": "",
        },
    ],
}

#: What is looked through.
THROUGH: Json = {
    "node": "beta",
    "first": "2026-11-20T00:00:00.000000Z",
    "last": "2026-11-22T04:00:00.000000Z",
    "every_since": "2026-11-21T04:00:00.000000Z",
    "generations": 2,
}


class Answers:
    """An agent that streams ``heard`` of the entries (by words of two) and answers with the first ``given``; ``missed``: the word
    of progress that never comes."""

    def __init__(self, given: int, missed: int = -1, found: list[Json] | None = None) -> None:
        self.given, self.missed = given, missed
        self.found = [FOUND] if found is None else found

    def ask(self, request: Request[AnswerT], progress: Progress | None = None) -> AnswerT:
        """See ``Controls``."""
        answer: Any = self.found
        if isinstance(request, DiffRequest):
            assert progress is not None
            if self.missed != 0:
                progress({"phase": "comparing", "moments": ["generation A", "the state"]})
            for first in range(0, len(ENTRIES), 2):
                if first != self.missed:
                    progress({"entries": ENTRIES[first : first + 2], "first": first})
            counts = {"added": 1, "changed": 2, "moved": 1, "deleted": 1}
            sentences = {"from_sentence": "generation A", "to_sentence": "the state"}
            entries = ENTRIES[: self.given]
            answer = {"from": "A", "to": "B", **sentences, **counts, "entries": entries, "more": 5 - len(entries)}
        else:
            assert isinstance(request, FindRequest)
            assert progress is not None
            progress({"phase": "finding", "through": THROUGH})
            progress({"phase": "finding", "through": THROUGH})
        result: AnswerT = answer
        return result


def run(answers: Answers, *words: str) -> int:
    """A command that asks this agent."""
    return main(list(words), Context(connect=lambda _: answers))


@pytest.mark.parametrize(("given", "missed"), [(5, -1), (0, -1), (5, 0), (5, 2), (4, 4)])
def test_entries_are_said_once_whatever_was_heard(given: int, missed: int, capsys: Captured) -> None:
    """Streamed or in the answer: each once, in order; what is in neither is counted."""
    assert 0 == run(Answers(given, missed), "generations", "diff", "web", "A", "B")
    out, err = capsys.readouterr()
    lines = [
        "+ new  3 bytes",
        "~ d/f  5 bytes → 9 bytes  content, mtime",
        "> d/ → e/",
        "- l",
        "~ t  0 bytes → 1 byte  was a directory, mode, 2 names",
    ]
    left_out = missed == 4 and given == 4
    expected = [*(lines[:4] if left_out else lines), "web: 1 added, 2 changed, 1 moved, 1 deleted"]
    assert expected == out.splitlines()
    assert left_out == ("and 1 more" in err)
    assert ["from generation A", "to   the state"] == [line for line in err.splitlines() if "and 1 more" not in line]
    assert 0 == run(Answers(given, missed), "generations", "diff", "web", "A", "B", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert (ENTRIES[:4] if left_out else ENTRIES, int(left_out)) == (answer["entries"], answer["more"])


def test_two_moments_are_said_before_what_lies_between_them() -> None:
    """As soon as they are known, also where the answer itself is read by a program."""
    written: list[str] = []
    words = io.StringIO()

    class Told(Answers):
        """Notes what was said by when."""

        def ask(self, request: Request[AnswerT], progress: Progress | None = None) -> AnswerT:
            """See ``Controls``."""
            answer = super().ask(request, progress)
            written.append(words.getvalue())
            return answer

    for more in ((), ("--json",)):
        words = io.StringIO()
        with redirect_stderr(words), redirect_stdout(io.StringIO()):
            run(Told(5), "generations", "diff", "web", "A", "B", *more)
    assert ["from generation A\nto   the state\n"] * 2 == written


def test_what_is_found_is_said_with_the_way_back(capsys: Captured) -> None:
    """The newest version first, each with its command; what was left out is said, and nothing is 4."""
    assert 0 == run(Answers(0, found=[FOUND, {"more": True}]), "find", "web", "a.conf")
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert "etc/a.conf  2.0 KiB" == lines[0]
    assert lines[1].startswith("  2 versions, first 2026-11-2")
    assert "    no moment names it alone: hikae mount shows it" == lines[3]
    assert "    hikae restore web --generation G --from beta --to DIR etc/a.conf" == lines[5]
    assert "these are the first 1" in err
    assert err.startswith("looking on beta from 2026-11-")
    assert 1 == err.count("looking on beta")
    assert "every moment since 2026-11-2" in err
    assert ", and 2 generations before that" in err
    assert 0 == run(Answers(0, found=[FOUND, {"more": True}]), "find", "web", "a.conf", "--json")
    assert [FOUND] == json.loads(capsys.readouterr().out)
    assert 4 == run(Answers(0, found=[]), "find", "web", "nothing")
    assert ("", True) == ((captured := capsys.readouterr()).out, "has nothing" in captured.err)


@pytest.mark.parametrize(
    "words",
    [
        ("restore", "web", "--to", "d"),
        ("restore", "web", "--to", "d", "--at", "x", "--generation", "g"),
        ("rollback", "web"),
    ],
)
def test_one_moment_is_to_be_named(words: tuple[str, ...], capsys: Captured) -> None:
    """Whatever node it is typed on, and before anything is looked for."""
    assert 2 == run(Answers(0), *words)
    said = f"hikae: cannot {words[0]} (web): one of --"
    assert (True, True) == (said in (err := capsys.readouterr().err), "is needed, and only one" in err)
