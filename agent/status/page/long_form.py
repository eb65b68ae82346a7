"""The page of ``hikae status DATASET``: all that is known of one dataset, in sentences."""

from __future__ import annotations

from rich.text import Text

from agent.status.figures import clock_text, count_text, size_text, span_text
from agent.status.page.cells import exact_clock, is_gone, state_word
from agent.status.page.layout import shortened, wrapped
from agent.status.page.notices import Notice, notices_of, remarks_of
from agent.status.page.overview import head, remedy_of, sentence_of
from agent.status.page.past_lines import past_facts
from agent.status.page.peer_lines import peer_text, verify_text
from agent.status.page.promotion import promotion_lines
from agent.status.published import Json
from agent.status.sentences import way
from agent.status.state import Role
from agent.status.text import shown


def dataset_page(status: Json, dataset: Json, width: int) -> Text:
    """The head, then facts one a line, then every notice with its remedy, then remarks."""
    lines = [head(status, width), _title(dataset, width)]
    for label, sentence in _facts(status, dataset):
        lines += _labelled(label, shown(sentence), width)
    for title, notices in (
        ("To know and to do", notices_of(status, dataset)),
        ("Remarks", remarks_of(status, dataset)),
    ):
        if notices:
            lines += [Text(""), Text(title, "bold"), *_bullets(notices, status["node"], width)]
    return Text("\n").join(lines)


_LABEL = 12


def _title(dataset: Json, width: int) -> Text:
    word = state_word(dataset)
    return Text(f"{shortened(shown(dataset['name']), width - len(word) - 2)}  {word}", "bold")


def _labelled(label: str, sentence: str, width: int) -> list[Text]:
    first, *rest = wrapped(sentence, width, " " * _LABEL)
    return [Text(f"{label:<{_LABEL}}{first.strip()}"), *(Text(line) for line in rest)]


def _bullets(notices: list[Notice], node: str, width: int) -> list[Text]:
    lines = []
    for notice in notices:
        if notice.sentence:
            code = f" [{notice.code}]" if notice.code else ""
            first, *rest = wrapped(shown(sentence_of(notice) + code), width, "    ")
            lines += [Text(f"  - {first.strip()}"), *(Text(line) for line in rest)]
        lines += [
            Text(line, "bold") for line in wrapped(shown(remedy_of(notice, node)), width, "    ") if notice.remedy
        ]
    return lines


def _facts(status: Json, dataset: Json) -> list[tuple[str, str]]:
    facts = [
        *(
            [("state", f"{dataset['state']} since {clock_text(dataset['since'], status['clock'])}")]
            if dataset["since"]
            else []
        ),
        ("role", _role(status, dataset)),
        ("path", f"{dataset['path']} ({dataset['kind']})"),
    ]
    if dataset["commit"]:
        facts += [("newest", _commit(status, dataset["commit"])), ("digest", dataset["commit"]["digest"])]
    if dataset["applied"]:
        equals = "the standby, which is gone, equalled" if is_gone(dataset["hold"]) else "the standby equals"
        facts.append(("applied", f"{equals} {_contents(status, dataset['applied'])}"))
    facts += [
        (f"peer {at}" if len(dataset["peers"]) > 1 else "peer", peer_text(status, peer))
        for at, peer in enumerate(dataset["peers"], 1)
    ]
    if dataset["watch"]:
        facts.append(("watch", _watch(status, dataset["watch"])))
    if dataset["owed"]:
        facts.append(("owed", f"{dataset['owed']:,} files of which something cannot be read on the primary"))
    facts += past_facts(status, dataset)
    if dataset["last_verify"]:
        facts.append(("verified", verify_text(status, dataset["last_verify"])))
    elif dataset["role"] == Role.STANDBY:
        compares = f"hikae verify {dataset['name']} compares the standby with its commit, by hand or by the key verify"
        facts.append(("verified", f"never since it was made here; {compares}"))
    if dataset["last_rehearsal"]:
        facts.append(("rehearsed", _rehearsal(status, dataset["last_rehearsal"])))
    if dataset["promotion"]:
        facts += promotion_lines(status, dataset["promotion"])
    return facts


def _role(status: Json, dataset: Json) -> str:
    if not dataset.get("opened", True):
        return "; ".join(
            [way(status, dataset), "not open", *([f"group {dataset['group']}"] if dataset["group"] else [])]
        )
    parts = [f"{way(status, dataset)}, epoch {dataset['epoch']}"]
    if dataset["role"] == Role.PRIMARY:
        parts.append("it serves" if dataset["serving"] else "it does not serve")
    if dataset["role"] == Role.STANDBY:
        parts.append(_readable(dataset))
    if dataset["group"]:
        parts.append(f"group {dataset['group']}")
    return "; ".join(parts)


def _readable(dataset: Json) -> str:
    """Whether a whole commit stands there."""
    if dataset.get("whole"):
        return "it stands as a whole commit"
    return (
        "nothing whole stands there yet" if dataset.get("first_sync") else "it is not known to stand as a whole commit"
    )


def _number(number: Json) -> str:
    return f"{number['epoch']}.{number['seq']}"


def _commit(status: Json, commit: Json) -> str:
    whole = (
        "consistent"
        if commit["consistent"]
        else "not consistent yet: a first sync or a look at everything is under way"
    )
    return f"{_contents(status, commit)}; {whole}"


def _contents(status: Json, commit: Json) -> str:
    """Of a commit that is not held any more only its number is known."""
    made = f"commit {_number(commit)}"
    if commit["time"] is None:
        return made
    size = f"{size_text(commit['bytes'])} in {count_text(commit['entries'], 'entry')}"
    return f"{made} of {exact_clock(commit['time'], status['clock'])}: {size}"


def _rehearsal(status: Json, found: Json) -> str:
    """How it ended, how long it took, and the last line that the probe said."""
    result = "the standby would serve" if found["ok"] else f"failed: {found['reason'] or 'the probe said no'}"
    commit = f" of commit {_number(found['commit'])}" if found["commit"] else ""
    ended = f"exit code {found['exit']}" if found["exit"] is not None else "killed at its deadline"
    parts = [f"{clock_text(found['time'], status['clock'])}{commit}: {result}", ended]
    parts.append(f"it took {span_text(found['rto_ms'] / 1000)}")
    said = [line for line in found["output"].split(r"\n") if line.strip()]
    return "; ".join([*parts, *(f"its last words: {line.strip()}" for line in said[-1:])])


def _watch(status: Json, watch: Json) -> str:
    look = (
        f"; last look at everything {clock_text(watch['last_reconcile'], status['clock'])}"
        if watch["last_reconcile"]
        else ""
    )
    counts = f"{watch['by_event']:,} changes found by events, {watch['by_reconcile']:,} by looking"
    lost = (
        f"; {watch['overflows']:,} times events were lost, and everything was looked at" if watch["overflows"] else ""
    )
    why = f" ({watch['why']})" if watch["why"] else ""
    return f"{watch['kind']}{why}; {counts}{lost}{look}"
