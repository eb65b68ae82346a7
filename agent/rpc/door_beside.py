"""What a server serves beside replication, as it sees it: calls with seats, certificates and ends of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol, TypeAlias

import grpc

#: Serves one call: messages of the caller as bytes, and answers.
ServesCall: TypeAlias = Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]


class DoorBeside(Protocol):
    """A service of the same address. Any thread."""

    @property
    def methods(self) -> Mapping[str, ServesCall]:
        """Its calls, by gRPC's name of the method."""
        ...

    @property
    def threads(self) -> int:
        """How many calls there may be at once."""
        ...

    def allow(self, peers: Collection[str]) -> None:
        """From now on these are the configured peers."""
        ...

    def tick(self) -> None:
        """Once a second: whoever asks for nothing, or may no more, is cut off."""
        ...

    def calling(self) -> set[tuple[str, int]]:
        """Address and port of those that are served."""
        ...

    def leave(self) -> None:
        """The node stops: all calls end soon."""
        ...
