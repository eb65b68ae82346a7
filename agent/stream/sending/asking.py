"""What one round says and asks, and what of that the peer has not answered yet: the same for every kind of round."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from agent.core.chunks import ChunkRef
from agent.stream.messages import Batch, PrimaryPart
from agent.stream.sending.batch_builder import Load
from agent.stream.sending.talk.call import Conversation


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An offer whose answer is due: of names, or of ``rows`` of a whole."""

    id: int
    refs: Sequence[ChunkRef] = ()
    rows: Sequence[bytes] = ()


class Asking:
    """The open questions of one round, the oldest first, and the batch that it is gathering. Used by the speaking thread; every
    method that sends is a generator of batches. ``most``: so many questions may be open before the oldest is waited for."""

    def __init__(self, talk: Conversation, most: int) -> None:
        self.load = Load(talk.under_way.level, talk.under_way.message)
        self._talk = talk
        self._most = most
        self._open: deque[OpenQuestion] = deque()

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def unsaid(self) -> int:
        """Bytes, in the clear, that are gathered for the next batch."""
        return self.load.raw

    def put(self, part: PrimaryPart) -> Iterator[Batch]:
        """Say a part now, with all that was gathered before it. Raises ``Ended``, as all that sends."""
        self.load.part(part)
        yield from self._talk.say(self.load.take())

    def flush(self) -> Iterator[Batch]:
        """Say what was gathered, if anything was."""
        yield from self._talk.say(self.load.take())

    def question(self, *, refs: Sequence[ChunkRef] = (), rows: Sequence[bytes] = ()) -> int:
        """The id for the offer that asks for these names or about these rows; its answer is due from now on."""
        id = self._talk.unanswered.question(len(refs) or len(rows))
        self._open.append(OpenQuestion(id, refs, rows))
        return id

    @property
    def due(self) -> bool:
        """Whether the oldest question is to be seen to before anything else is asked: it is answered, or too many are open."""
        return bool(self._open) and (
            len(self._open) > self._most or self._talk.unanswered.is_answered(self._open[0].id)
        )

    def answer(self) -> Generator[Batch, None, tuple[OpenQuestion, tuple[int, ...]]]:
        """Wait for the answer to the oldest question: the indexes of what the peer lacks."""
        question = self._open.popleft()
        yield from self._talk.answer(question.id)
        return question, self._talk.unanswered.take(question.id)

    def forget(self) -> None:
        """Nobody will see to what is open: the call is closing."""
        self._open.clear()
