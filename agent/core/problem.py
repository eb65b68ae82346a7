"""Problems: what is wrong while the agent goes on. They add up, have a remedy, and clear by themselves."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """The weight of a problem; public strings."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Where(StrEnum):
    """On which node a problem stands."""

    NODE = "any node"
    PRIMARY = "primary"
    STANDBY = "secondary"
    EITHER = "either node"


class ProblemCode(str):
    """A stable word, and what is the same of all problems that have it: on which node they stand, how much they can matter (the
    least first), what they mean, and what leads out of them in general. All of them are listed in ``core.problem_codes``."""

    __slots__ = ("means", "remedy", "severities", "where")

    where: Where
    severities: tuple[Severity, ...]
    means: str
    remedy: str

    def __new__(cls, word: str, where: Where, severities: tuple[Severity, ...], means: str, remedy: str) -> ProblemCode:
        """``means`` and ``remedy``: as they stand in ``docs/problems.md``."""
        self = super().__new__(cls, word)
        self.where, self.severities, self.means, self.remedy = where, severities, means, remedy
        return self


#: Bytes of a path that are kept and shown (law 9): users make directories a hundred thousand levels deep at no cost.
PATH_KEPT = 1024
_END_SHOWN = 400


def kept_path(path: bytes) -> bytes:
    """A path as problems hold it: whole, or both of its ends around what tells it from any other. Again, it is the same."""
    if len(path) <= PATH_KEPT:
        return path
    digest = hashlib.blake2b(path, digest_size=8).hexdigest().encode()
    return b"%s...[%d bytes, %s]...%s" % (path[:_END_SHOWN], len(path), digest, path[-_END_SHOWN:])


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``code``: one of ``core.problem_codes``; ``path`` raw bytes relative to the
    root (b"" when it concerns the whole dataset), ``since`` UTC ns."""

    code: ProblemCode
    severity: Severity
    since: int
    path: bytes
    message: str
    remedy: str


class _Kind:
    """The problems of one code: the worst with their paths, others by the hash of theirs, and how many more there are."""

    __slots__ = ("kept", "more", "sample", "unknown")

    def __init__(self, sample: Problem) -> None:
        self.sample = sample
        self.kept: dict[bytes, Problem] = {}
        self.more: dict[int, Severity] = {}
        self.unknown = 0

    @property
    def uncounted(self) -> int:
        """The number of problems without a path."""
        return len(self.more) + self.unknown


_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
#: Of each code, problems that are only counted and still end one by one; 8 bytes of hash each.
_COUNTED = 50_000


class ProblemBoard:
    """The problems of one dataset or node, by ``(code, path)``. Thread-safe; of each code at most ``limit`` are kept with their
    paths, the worst first, so that none hides another kind; the others of a code are only counted (law 9)."""

    def __init__(self, limit: int = 100) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kinds: dict[str, _Kind] = {}

    def put(self, problem: Problem) -> None:
        """Add or replace; the first ``since`` is kept."""
        if len(problem.path) > PATH_KEPT:
            problem = dataclasses.replace(problem, path=kept_path(problem.path))
        with self._lock:
            kind = self._kinds.setdefault(problem.code, _Kind(problem))
            old = kind.kept.get(problem.path)
            if old is not None:
                problem = dataclasses.replace(problem, since=old.since)
            elif len(kind.kept) >= self._limit:
                problem = self._crowded(kind, problem)
            else:
                kind.more.pop(hash(problem.path), None)
            if problem.path in kind.kept or len(kind.kept) < self._limit:
                kind.kept[problem.path] = problem

    def _crowded(self, kind: _Kind, problem: Problem) -> Problem:
        """All places are taken: the least of those that are kept and of this one is counted. The one that is to be kept, if it
        is another than those."""
        least = max(kind.kept.values(), key=lambda one: _ORDER[one.severity])
        if _ORDER[problem.severity] < _ORDER[least.severity]:
            del kind.kept[least.path]
            kind.more.pop(hash(problem.path), None)
        else:
            least = problem
        if hash(least.path) in kind.more or len(kind.more) < _COUNTED:
            kind.more[hash(least.path)] = least.severity
        else:
            kind.unknown += 1
        return problem

    def count(self, problem: Problem) -> None:
        """One more of its code, known by no path: it ends with the next full look (:meth:`forget_unknown`)."""
        with self._lock:
            sample = dataclasses.replace(problem, path=b"")
            self._kinds.setdefault(problem.code, _Kind(sample)).unknown += 1

    def clear(self, code: str, path: bytes = b"") -> None:
        """The cause is gone. Unknown ones are no error."""
        path = kept_path(path)
        with self._lock:
            kind = self._kinds.get(code)
            if kind is not None:
                if kind.kept.pop(path, None) is None:
                    kind.more.pop(hash(path), None)
                self._tidy(code, kind)

    def clear_code(self, code: str) -> None:
        """Every problem of this code is gone."""
        with self._lock:
            self._kinds.pop(code, None)

    def forget_all(self) -> None:
        """What it is about begins anew: whatever is still so will be told again."""
        with self._lock:
            self._kinds.clear()

    def keep_only(self, code: str, paths: Iterable[bytes]) -> None:
        """After a full look: the problems of this code at other paths are gone."""
        with self._lock:
            kind = self._kinds.get(code)
            if kind is not None:
                stay = set(map(kept_path, paths))
                kind.kept = {path: one for path, one in kind.kept.items() if path in stay}
                kind.more, kind.unknown = {}, 0
                self._tidy(code, kind)

    def replace(self, code: str, problems: Iterable[Problem], total: int) -> None:
        """After a full look the board has these problems of this code, the first of ``total``; the first ``since`` of each is
        kept."""
        problems = list(problems)
        self.keep_only(code, [problem.path for problem in problems])
        for problem in problems:
            self.put(problem)
        with self._lock:
            if problems:
                self._kinds[code].unknown = max(0, total - len(problems))

    def forget_unknown(self, codes: Iterable[str]) -> None:
        """A full look begins, which meets again what was counted and cannot be told from others."""
        with self._lock:
            for code in codes:
                kind = self._kinds.get(code)
                if kind is not None:
                    kind.unknown = 0
                    self._tidy(code, kind)

    def listed(self) -> tuple[list[Problem], dict[str, int]]:
        """Everything, worst first, and how many more of each code were only counted. Where none of a code is left with its path,
        one stands for those that were counted."""
        with self._lock:
            rows = [problem for kind in self._kinds.values() for problem in kind.kept.values()]
            rows += [_of_many(kind) for kind in self._kinds.values() if not kind.kept]
            rows.sort(key=lambda p: (_ORDER[p.severity], p.since, p.path))
            return rows, {code: kind.uncounted for code, kind in self._kinds.items() if kind.uncounted and kind.kept}

    def has(self, code: str) -> bool:
        """Whether any problem of this code stands."""
        with self._lock:
            return code in self._kinds

    def _tidy(self, code: str, kind: _Kind) -> None:
        if not kind.kept and not kind.uncounted:
            del self._kinds[code]


def _of_many(kind: _Kind) -> Problem:
    worst = min(kind.more.values(), key=_ORDER.__getitem__, default=kind.sample.severity)
    message = f"of {kind.uncounted:,} paths, which the next look at everything names: {kind.sample.message}"
    return dataclasses.replace(kind.sample, severity=worst, path=b"", message=message)
