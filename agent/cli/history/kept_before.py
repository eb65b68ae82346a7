"""What stands is kept as a generation before it is written over in place, where somebody can keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.cli.context import Context
from agent.cli.output import progress_shown, remark
from agent.core.errors import HikaeError, Refused
from agent.core.ids import CommitNumber, commit_number, shown_commit
from agent.generations.restore.stood_before import StoodBefore
from agent.operations.declaration import Json
from agent.operations.elsewhere.keeping import KeepStandingRequest

if TYPE_CHECKING:
    from agent.generations.restore.target import Target


@dataclass(frozen=True, slots=True)
class KeptInPlace:
    """``first``: what keeps what stood before anything was written over; ``resumed``: the generation of what a restore found when
    it went on after it was cut off, half restored, "" for none."""

    first: StoodBefore
    resumed: str = ""


def keep_before(context: Context, dataset: str, moment: str, node: str, *, quiet: bool) -> StoodBefore:
    """Have what stands kept, on entry not yet written over, and say at once by which generation, as whoever is cut off later is
    told no more; or why none was taken, with what to do. ``moment``: what it is to become, for people; ``node``: which standby is
    meant, "" for any."""
    try:
        with progress_shown(f"keeping what stands in {dataset}", not quiet) as progress:
            asked = KeepStandingRequest(dataset, f"before a restore in place of {moment}", node)
            answer = context.controls().ask(asked, progress)
    except HikaeError as error:
        _say(f"no generation keeps what stands now: {error.reason}", error.remedy)
        return StoodBefore(not_kept=error.reason, remedy=error.remedy)
    kept = StoodBefore(str(answer["generation"]), str(answer["node"]), *not_in_it(answer))
    but = f", but for {kept.not_kept}" if kept.not_kept else ""
    _say(f"what stands now is kept as generation {kept.generation} on {kept.node}{but}", kept.remedy)
    return kept


def not_in_it(answer: Json) -> tuple[str, str]:
    """What the generation that was taken does not have of what stood, and what to do: both "" where it has all. A newer commit
    than the one that was waited for has all too."""
    parts, remedies = list[str](), list[str]()
    commit, waited = _number(answer["commit"]), _number(answer["waited_for"])
    if commit < waited:
        newest = f"commit {shown_commit(commit)} is the newest that is whole there"
        parts.append(f"what was written since: {newest}, and commit {shown_commit(waited)} has all")
        remedies.append("hikae status says when the walk that goes on is at its end")
    if files := int(answer["incomplete"]):
        parts.append(f"the content of {files:,} {'file' if files == 1 else 'files'}, which never came whole")
        remedies.append(f"hikae status {answer['dataset']} says why they cannot be read; copy them if they matter")
    return " and ".join(parts), "; ".join(remedies)


def agree_to_lose(context: Context, stands: StoodBefore, dataset: str, *, yes: bool) -> None:
    """Ask once more where something that stands is kept nowhere. ``yes``: that was said before, so it is only told that it goes
    on. Raises ``Refused``."""
    if not stands.not_kept:
        return
    if yes:
        remark("  it is written over nevertheless, since --yes was given")
    elif not context.person.agrees("Write over it nevertheless?"):
        remedy = f"nothing was changed; {stands.remedy}" if stands.remedy else "nothing was changed"
        raise Refused("restore in place", dataset, "not confirmed", remedy)


def kept_of(target: Target, stands: StoodBefore | None) -> KeptInPlace | None:
    """What keeps what stood before the restore that now goes on, or begins, in an open target; None where nothing stood.
    ``stands``: what keeps what stands now."""
    if stands is None:
        return None
    if not target.resumed:
        return KeptInPlace(stands)
    unknown = "the restore that was cut off did not note which one does"
    return KeptInPlace(target.stood or StoodBefore(not_kept=unknown), stands.generation)


def remark_target(target: Target, kept: KeptInPlace | None) -> None:
    """What was cut off here before."""
    if target.resumed:
        remark("  a restore that was cut off goes on where it was")
        if kept is not None:
            remark(f"  before it first began: {kept.first.sentence}")
    elif target.cut_off is not None:
        remark(f"  another restore was cut off here; before that one: {target.cut_off.sentence}")


def _number(commit: Json | None) -> CommitNumber:
    return commit_number(commit["epoch"], commit["seq"]) if commit else CommitNumber(0)


def _say(words: str, remedy: str) -> None:
    remark(f"  {words}")
    if remedy:
        remark(f"  to mend that: {remedy}")
