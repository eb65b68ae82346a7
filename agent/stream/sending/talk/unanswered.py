"""What one call has asked and the peer has not answered; and answers that nobody has taken yet."""

from __future__ import annotations

from agent.stream.messages import Need, Owing, Sums, bad


class Unanswered:
    """Of one call. Questions are asked and answers taken by the thread that speaks; heard by the other, under the call's lock."""

    def __init__(self) -> None:
        self.owing: Owing | None = None
        self.sums: Sums | None = None
        self._asked_owed = self._asked_sums = False
        self._asked = 0
        #: How many names each open question has, by its id.
        self._open: dict[int, int] = {}
        self._needs: dict[int, tuple[int, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._open) or self._asked_owed or self._asked_sums

    def question(self, count: int) -> int:
        """The id for an offer of ``count`` names; its answer will be kept until it is taken."""
        self._asked += 1
        self._open[self._asked] = count
        return self._asked

    def is_answered(self, question: int) -> bool:
        """Whether the answer is there."""
        return question in self._needs

    def take(self, question: int) -> tuple[int, ...]:
        """The indexes needed; once."""
        return self._needs.pop(question)

    def ask_sums(self) -> None:
        """A ``Sums`` is on its way; :attr:`sums` will be there."""
        self._asked_sums = True

    def take_sums(self) -> Sums:
        """The answer to it; once."""
        sums, self.sums = self.sums, None
        assert sums is not None
        return sums

    def ask_owed(self) -> None:
        """An ``AskOwed`` is on its way; :attr:`owing` will be there."""
        self._asked_owed = True

    def take_owing(self) -> Owing:
        """The answer to it; once."""
        page, self.owing = self.owing, None
        assert page is not None
        return page

    def heard_need(self, part: Need) -> None:
        """Raises ``WireError`` for what nobody asked, as all that is heard."""
        count = self._open.pop(part.offer, None)
        if count is None:
            raise bad("an answer to a question that was not asked")
        last = -1
        for index in part.indexes:
            if not last < index < count:
                raise bad("an answer whose indexes do not rise, or are not of the question")
            last = index
        self._needs[part.offer] = part.indexes

    def heard_owing(self, part: Owing) -> None:
        """A page of what is owed."""
        if not self._asked_owed:
            raise bad("an answer to a question that was not asked")
        self._asked_owed, self.owing = False, part

    def heard_sums(self, part: Sums) -> None:
        """Where the peer's state differs."""
        if not self._asked_sums:
            raise bad("sums that were not asked for")
        self._asked_sums, self.sums = False, part
