"""Somebody who does something all the time, in a thread of his own, while a block runs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TypeVar

Self = TypeVar("Self", bound="Background")


class Background(ABC):
    """Turns follow one another, ``pause`` seconds apart, from the beginning of the block to its end."""

    def __init__(self, name: str, pause: float = 0.0) -> None:
        self._pause = pause
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def __enter__(self: Self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    @abstractmethod
    def turn(self) -> None:
        """Once."""

    def _run(self) -> None:
        while not self._ending.wait(self._pause):
            self.turn()
