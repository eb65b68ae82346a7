"""An agent that tells which function called which: ``python traced_agent.py FOLDER ARGUMENTS…``.

While ``FOLDER/trace`` exists, each call from one function of the agent to another is noted once a thread, in the order in which
it first happens. When the file goes, the calls are written to ``FOLDER/PID.calls`` and forgotten. The module knows nothing of the
agent, so that it runs any state of it."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

_FOLDER = Path(sys.argv[1])
_MARK = f"{os.sep}agent{os.sep}"
_Function = tuple[str, str]
_calls: dict[int, dict[tuple[_Function, _Function], bool]] = {}
_on = False


def _function(frame: FrameType | None) -> _Function | None:
    """File and name of the nearest function of the agent, from a frame outwards."""
    while frame is not None:
        _, found, file = frame.f_code.co_filename.rpartition(_MARK)
        if found and not file.startswith("rpc/wire"):
            return file, frame.f_code.co_qualname
        frame = frame.f_back
    return None


def _profile(frame: FrameType, event: str, _argument: Any) -> None:  # Any: as sys.setprofile asks
    if not _on or event != "call" or _MARK not in frame.f_code.co_filename:
        return
    caller, called = _function(frame.f_back), _function(frame)
    if caller is not None and called is not None:
        calls = _calls.setdefault(threading.get_ident(), {})
        if (caller, called) not in calls:
            calls[caller, called] = _is_open(called[0], caller[0], frame.f_back)


def _is_open(file: str, caller: str, frame: FrameType | None) -> bool:
    """Whether a function of ``file`` waits further out, behind one of another file: the call leads back up to it."""
    while frame is not None:
        _, found, at = frame.f_code.co_filename.rpartition(_MARK)
        if found and at == file and file != caller:
            return True
        frame = frame.f_back
    return False


def _watch() -> None:
    """Look a hundred times a second whether the file is there."""
    global _on
    while True:
        wanted = (_FOLDER / "trace").exists()
        if _on and not wanted:
            _on = False
            time.sleep(0.1)
            text = json.dumps([[(*edge, back) for edge, back in calls.items()] for calls in list(_calls.values())])
            _calls.clear()
            (_FOLDER / f"{os.getpid()}.part").write_text(text)
            (_FOLDER / f"{os.getpid()}.part").rename(_FOLDER / f"{os.getpid()}.calls")
        _on = wanted
        time.sleep(0.01)


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    threading.Thread(target=_watch, daemon=True).start()
    threading.setprofile(_profile)
    sys.setprofile(_profile)
    from agent.cli.main import main

    sys.exit(main(sys.argv[2:]))
