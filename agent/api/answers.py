"""The lines of a long answer, kept alive while the call runs."""

from __future__ import annotations

import json
import threading
from io import BufferedIOBase
from types import TracebackType

from agent.operations.declaration import Json

#: Seconds between two empty lines: so often the caller hears that the agent lives, and the agent whether it is heard.
PULSE = 2.0


class LineAnswer:
    """Writes JSON lines to one caller; a thread of its own sends empty lines in between. A context manager.

    ``progress`` raises ``ConnectionError`` once the caller has gone."""

    def __init__(self, out: BufferedIOBase, pulse: float = PULSE) -> None:
        self._out = out
        self._pulse = pulse
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._gone = False
        self._thread = threading.Thread(target=self._beat, name="admin-pulse")

    def __enter__(self) -> LineAnswer:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def progress(self, value: Json) -> None:
        """Tell how far the call is."""
        if not self._write({"progress": value}):
            raise ConnectionAbortedError("the caller of this request has gone")

    def finish(self, value: Json) -> None:
        """The last line; to a caller that has gone it is not said."""
        self._done.set()
        self._write(value)

    def _beat(self) -> None:
        while not self._done.wait(self._pulse):
            if not self._write(None):
                return

    def _write(self, value: Json | None) -> bool:
        data = b"\n" if value is None else json.dumps(value).encode() + b"\n"
        with self._lock:
            if not self._gone:
                try:
                    self._out.write(data)
                    self._out.flush()
                except (OSError, ValueError):
                    self._gone = True
            return not self._gone
