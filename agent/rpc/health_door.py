"""``grpc.health.v1`` at the address for peers: whoever has a certificate of our authority may ask who serves, and how many may is
bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import DecodeError

from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.rpc import connections
from agent.rpc.door_beside import ServesCall
from agent.rpc.tls import Identities, presented
from agent.rpc.wire.health_pb2 import HealthCheckRequest, HealthCheckResponse
from agent.status.text import shown

CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
#: Longer than any name of a dataset with its role.
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """``calls``: at once, all of them together; ``each``: of one certificate's name. Seconds: ``asks_within`` until a request
    must be there, ``looks`` between two looks of a watch, ``recheck`` after which its certificate is looked at again."""

    calls: int = 32
    each: int = 16
    asks_within: float = 5.0
    looks: float = 0.25
    recheck: float = 5.0


@dataclass(eq=False, slots=True)
class _Caller:
    context: grpc.ServicerContext
    certificate: bytes
    name: str
    began: float
    came_from: tuple[str, int]
    asked: bool = False
    left: threading.Event = field(default_factory=threading.Event)


class HealthDoor:
    """Serves both calls. ``serving``: whether a service is served now, None for one that there is not."""

    def __init__(
        self,
        serving: Callable[[str], bool | None],
        identities: Identities,
        clock: Clock,
        limits: HealthLimits = HealthLimits(),
    ) -> None:
        self._serving = serving
        self._identities = identities
        self._clock = clock
        self._limits = limits
        self._lock = threading.Lock()
        self._callers: set[_Caller] = set()

    @property
    def methods(self) -> Mapping[str, ServesCall]:
        """Its calls, by gRPC's name of the method."""
        return {CHECK: self.check, WATCH: self.watch}

    @property
    def threads(self) -> int:
        """How many calls there may be at once."""
        return self._limits.calls

    def calling(self) -> set[tuple[str, int]]:
        """Address and port of those that are served."""
        with self._lock:
            return {caller.came_from for caller in self._callers}

    def allow(self, peers: Collection[str]) -> None:
        """Who may ask has a good certificate, whether it is a configured peer or not."""

    def tick(self) -> None:
        """Once a second: whoever asks for nothing is cut off."""
        now = self._clock.monotonic()
        with self._lock:
            late = [one for one in self._callers if not one.asked and now - one.began > self._limits.asks_within]
        for caller in late:
            caller.context.cancel()

    def leave(self) -> None:
        """The node stops: all calls end soon."""
        with self._lock:
            callers = list(self._callers)
        for caller in callers:
            caller.left.set()
            if not caller.asked:
                caller.context.cancel()

    def check(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """A call of ``Check``, as gRPC hands it over: one answer."""
        with self._let_in(context) as caller:
            service = _service(caller, requests)
            served = self._serving(service)
            if served is None:
                context.abort(grpc.StatusCode.NOT_FOUND, "services are NAME/primary and NAME/standby of a dataset here")
            yield _response(served)

    def watch(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """A call of ``Watch``: an answer now, and at each change, for as long as the caller stays and may ask."""
        with self._let_in(context) as caller:
            service = _service(caller, requests)
            told: list[bool | None] = []
            checked = self._clock.monotonic()
            while context.is_active() and not caller.left.is_set():
                served = self._serving(service)
                if [served] != told:
                    told = [served]
                    yield _response(served)
                if self._clock.monotonic() - checked >= self._limits.recheck:
                    checked = self._clock.monotonic()
                    self._require_good(context, caller.certificate)
                caller.left.wait(self._limits.looks)

    @contextmanager
    def _let_in(self, context: grpc.ServicerContext) -> Iterator[_Caller]:
        began, came_from = self._clock.monotonic(), connections.peer_of(context.peer())
        certificate = presented(context)
        caller = _Caller(context, certificate, self._require_good(context, certificate), began, came_from)
        with self._lock:
            full = self._full_for(caller.name)
            if not full:
                self._callers.add(caller)
        if full:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, full)
        try:
            yield caller
        finally:
            with self._lock:
                self._callers.discard(caller)

    def _full_for(self, name: str) -> str:
        """Why no more are let in of this name, "" where they are: one that hangs on takes no seat of the others."""
        if sum(one.name == name for one in self._callers) >= self._limits.each:
            return f"{self._limits.each} calls of {shown(name)} ask for health already"
        if len(self._callers) >= self._limits.calls:
            return f"{self._limits.calls} calls ask for health already"
        return ""

    def _require_good(self, context: grpc.ServicerContext, certificate: bytes) -> str:
        """Whose it is. Ends the call where it is good no more."""
        try:
            return self._identities.client_name(certificate)
        except HikaeError as error:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, error.sentence)


def _service(caller: _Caller, requests: Iterator[bytes]) -> str:
    """What is asked for. Ends the call for a message that is none."""
    data = next(requests, b"")
    caller.asked = True
    try:
        service = HealthCheckRequest.FromString(data).service
    except DecodeError:
        service = None
    if service is None or len(service) > _LONGEST:
        caller.context.abort(grpc.StatusCode.INVALID_ARGUMENT, "that is no request of grpc.health.v1")
    return str(service)


def _response(served: bool | None) -> bytes:
    kinds = {
        True: HealthCheckResponse.SERVING,
        False: HealthCheckResponse.NOT_SERVING,
        None: HealthCheckResponse.SERVICE_UNKNOWN,
    }
    return HealthCheckResponse(status=kinds[served]).SerializeToString()
