"""The mark of what is frozen: what is believed of it, and who is waited for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agent.fs.freezing import mark_frozen, run_as, started, thaw_marked, unmark


def test_no_mark(tmp_path: Path) -> None:
    """Where there is no mark nothing was frozen, and removing it is nothing."""
    unmark(str(tmp_path / "frozen"))
    assert None is thaw_marked(str(tmp_path / "frozen"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"path": "/", "device": "x"}'])
def test_a_torn_mark_goes(tmp_path: Path, text: str) -> None:
    """A mark that names nothing keeps nobody."""
    mark = tmp_path / "frozen"
    mark.write_text(text)
    assert (f"{mark} names nothing and was removed", False) == (thaw_marked(str(mark)), mark.exists())


def test_who_wrote_it_is_waited_for(tmp_path: Path) -> None:
    """While the guard that wrote the mark lives nothing is thawed: it may still be freezing."""
    mark = tmp_path / "frozen"
    mark_frozen(str(mark), [(str(tmp_path), os.stat(tmp_path).st_dev)])
    with pytest.raises(TimeoutError, match=f"process {os.getpid()}"):
        thaw_marked(str(mark), within=0.05)
    assert mark.exists()


@pytest.mark.parametrize("change", [{"guard": 2**22 + 5}, {"started": "1"}, {"started": None}])
def test_another_process_is_not(tmp_path: Path, change: dict[str, object]) -> None:
    """A guard that is gone, and another process with its number, keep nobody; another filesystem at the path is left alone."""
    mark = tmp_path / "frozen"
    found = {"path": str(tmp_path), "device": -1, "guard": os.getpid(), "started": started(os.getpid()), **change}
    mark.write_text(json.dumps(found))
    assert (f"{tmp_path} was marked and not frozen", False) == (thaw_marked(str(mark)), mark.exists())


def test_a_path_that_is_gone(tmp_path: Path) -> None:
    """What was unmounted and removed cannot be frozen any more."""
    mark = tmp_path / "frozen"
    mark.write_text(json.dumps({"path": str(tmp_path / "gone"), "device": 1, "guard": 1, "started": "x"}))
    assert (f"{tmp_path / 'gone'} was marked and not frozen", False) == (thaw_marked(str(mark)), mark.exists())


def test_words(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The program without its words says which; with a mark that is not there it has nothing to do."""
    assert (2, 0) == (run_as([]), run_as(["thaw", str(tmp_path / "frozen")]))
    assert "usage: freezing.py guard SOCKET MARK | thaw MARK\n" == capsys.readouterr().err
