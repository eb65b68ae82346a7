"""Another program's changes of link counts, and when they mean something."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import foreign_linker
from bench.crew import Failed
from bench.foreign_changes import must_be_reached, needs_fanotify
from bench.foreign_linker import FILES, ROUND, change, make
from bench.machine import Unmeasurable


def test_each_change_is_one_of_a_link_count(tmp_path: Path) -> None:
    """In a round every file gets a second name and loses it; then it begins anew."""
    make(tmp_path)
    for number in range(ROUND + 1):
        change(tmp_path, number)
        if number in (0, FILES - 1, FILES, ROUND - 1, ROUND):
            twice = sum((tmp_path / f"a{file}").stat().st_nlink == 2 for file in range(FILES))
            assert (number + 1 if number < FILES else ROUND - number - 1 if number < ROUND else 1) == twice


def test_the_program_says_when_it_has_begun_and_what_it_reached(tmp_path: Path) -> None:
    """It ends when it is asked to, and counts from the line on."""
    words = (sys.executable, foreign_linker.__file__, str(tmp_path), "100000")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as linker:
        assert linker.stdout is not None
        assert "changing\n" == linker.stdout.readline()
        linker.send_signal(signal.SIGTERM)
        told = json.loads(linker.stdout.read())
    assert 0 == linker.returncode
    assert {"changes", "seconds"} == told.keys()
    assert min(told.values()) >= 0


def test_four_fifths_of_the_rate_must_be_reached() -> None:
    """Else the other program was kept from what it is to do."""
    assert 1600.0 == must_be_reached(4800, 3.0)
    with pytest.raises(Failed, match=r"1,599 changes/s of 2,000"):
        must_be_reached(1599, 1.0)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ({"watch": {"kind": "inotify", "why": "not root"}}, "inotify, .*: not root"),
        ({"watch": None}, "nothing, .*: it is not open"),
        ({}, "nothing, .*: it is not open"),
    ],
)
def test_a_primary_that_is_told_of_nothing_gives_no_figure(dataset: dict[str, object], words: str) -> None:
    """Only fanotify tells of what happens outside of the tree."""
    with pytest.raises(Unmeasurable, match=words):
        needs_fanotify(dataset)
    needs_fanotify({"watch": {"kind": "fanotify", "why": ""}})
