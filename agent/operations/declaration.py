"""What an operation is: its name, its arguments, who may be asked, and what it does."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar

from agent.status.state import Role

if TYPE_CHECKING:
    from agent.operations.running import DatasetCall, NodeCall

#: A JSON object.
Json: TypeAlias = dict[str, Any]  # Any: JSON is a foreign edge
#: Told how a long call goes: ``{"phase", "waits_for", "done_bytes", "total_bytes", "done_entries",
#: "total_entries"}``, as far as known; ``waits_for`` is for people.
Progress: TypeAlias = Callable[[Json], None]
Reached: TypeAlias = Literal["durable", "applied"]
Activity: TypeAlias = Literal["send", "apply", "both"]

AnswerT = TypeVar("AnswerT")
NodeT = TypeVar("NodeT", bound="Request[Any]")
DatasetT = TypeVar("DatasetT", bound="DatasetRequest[Any]")


@dataclass(frozen=True, slots=True)
class Request(Generic[AnswerT]):
    """The arguments of one operation, by their names in JSON; its docstring says what is answered. ``ANSWER``: as what kind of
    JSON."""

    ANSWER: ClassVar[type] = dict


@dataclass(frozen=True, slots=True)
class DatasetRequest(Request[AnswerT]):
    """The arguments of an operation on one dataset of the node that is asked."""

    dataset: str

    @property
    def named(self) -> tuple[str, ...]:
        """How the dataset is named in the command."""
        return (self.dataset,)

    @property
    def operands(self) -> tuple[str, ...]:
        """What is typed after the dataset."""
        return ()


def any_request(_request: Any) -> bool:
    """Whatever its arguments are."""
    return True


@dataclass(frozen=True, slots=True)
class FromAfar:
    """That an operation may be typed on another node than the one that it concerns: which of its requests are ``allowed`` from
    there, and how many seconds are to lie between two of them on a dataset (``every``)."""

    allowed: Callable[[Any], bool] = any_request
    every: float = 0.0


@dataclass(frozen=True, slots=True)
class Operation:
    """``role``: what the node must be to the dataset, None where both sides can be asked; ``long``: it may wait for a disk, a
    peer or a tree, tells how it goes, and ends when nobody waits for its answer any more; ``changes``: whether a call changes
    what the agent does or keeps, which is what a journal is about; ``act``: what it does, given a call and the request; ``afar``:
    whether it is passed on to the node of that role where this one has another, None where it is to be typed there. Where it is
    passed to several, what each lists is put together; what has one answer is asked of one node only. ``typed``: the command,
    where it is not that of its name. ``of_history``: a primary that was a standby is asked too, about the history that
    it has; what it does not have is asked of those whose role that is."""

    name: str
    request: type[Request[Any]]
    role: Role | None
    long: bool
    changes: Callable[[Any], bool]
    act: Callable[[Any, Any], Any]  # Any: each has a call and a request of its own, which the declaring functions check
    afar: FromAfar | None = None
    typed: str = ""
    of_history: bool = False

    @property
    def on_dataset(self) -> bool:
        """Whether it is about one dataset."""
        return issubclass(self.request, DatasetRequest)

    @property
    def command(self) -> str:
        """What is typed for it, after ``hikae``."""
        return self.typed or self.name.replace("-", " ")

    @property
    def can_change(self) -> bool:
        """Whether any call of it changes something."""
        return self.changes is not no_call


_BY_REQUEST: dict[type[Request[Any]], Operation] = {}


def each_call(_request: Request[Any]) -> bool:
    """Each call changes something."""
    return True


def no_call(_request: Request[Any]) -> bool:
    """No call changes anything."""
    return False


def node_operation(
    name: str, request: type[NodeT], *, long: bool, changes: Callable[[NodeT], bool]
) -> Callable[[Callable[[NodeCall, NodeT], object]], Operation]:
    """Declare what is asked of a node as a whole."""
    return lambda act: _declared(Operation(name, request, None, long, changes, act))


def dataset_operation(
    name: str,
    request: type[DatasetT],
    *,
    role: Role | None,
    long: bool,
    changes: Callable[[DatasetT], bool],
    afar: FromAfar | None = None,
    typed: str = "",
    of_history: bool = False,
) -> Callable[[Callable[[DatasetCall, DatasetT], object]], Operation]:
    """Declare what is asked of one dataset. What may come from ``afar`` is ``long``, as a network lies in between."""
    return lambda act: _declared(Operation(name, request, role, long, changes, act, afar, typed, of_history))


def as_typed(request: DatasetRequest[Any]) -> str:
    """The command that asks for it, without options: for whoever is to type it elsewhere."""
    words = ("hikae", *operation_of(request).command.split(), *request.named, *request.operands)
    return shlex.join(words)


def operation_of(request: Request[Any]) -> Operation:
    """The operation that a request asks for. Whoever has the request has imported its declaration."""
    return _BY_REQUEST[type(request)]


def _declared(operation: Operation) -> Operation:
    _BY_REQUEST[operation.request] = operation
    return operation


class Controls(Protocol):
    """The agent as its operators see it: the node's ``OperatorDesk``, and ``AdminClient`` on the far side of the socket."""

    def ask(self, request: Request[AnswerT], progress: Progress | None = None) -> AnswerT:
        """Have an operation done; its answer. Any thread.

        Raises a ``HikaeError`` when it cannot: ``NotFound`` for an unknown dataset, ``Refused`` for what role or state do not
        allow, ``TryAgain`` for what a later call may do. A long one calls ``progress`` at least each second; that raises
        ``ConnectionError`` once nobody waits for the answer any more, which ends the call. It also ends, with ``TryAgain``,
        when the agent stops."""
        ...
