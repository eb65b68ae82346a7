"""The page of ``hikae status DATASET``: all that is known of one dataset, in sentences."""

from __future__ import annotations

from rich.text import Text

from agent.status.figures import clock_text, size_text, span_text
from agent.status.page.cells import exact_clock, state_word
from agent.status.page.layout import shortened, wrapped
from agent.status.page.notices import Notice, notices_of, remarks_of
from agent.status.page.overview import head, remedy_of, sentence_of
from agent.status.page.past_lines import past_facts
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
            first, *rest = wrapped(shown(sentence_of(notice)), width, "    ")
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
        ("role", f"{way(status, dataset)}, epoch {dataset['epoch']}"),
        ("path", f"{dataset['path']} ({dataset['kind']})"),
    ]
    if dataset["commit"]:
        facts.append(("newest", _commit(status, dataset["commit"])))
    if dataset["applied"]:
        facts.append(("applied", f"the standby equals commit {_number(dataset['applied'])}"))
    facts += [
        (f"peer {at}" if len(dataset["peers"]) > 1 else "peer", _peer(status, peer))
        for at, peer in enumerate(dataset["peers"], 1)
    ]
    if dataset["watch"]:
        facts.append(("watch", _watch(status, dataset["watch"])))
    if dataset["owed"]:
        facts.append(("owed", f"{dataset['owed']:,} files of which something cannot be read on the primary"))
    facts += past_facts(status, dataset)
    if dataset["last_verify"]:
        facts.append(("verified", _verify(status, dataset["last_verify"])))
    elif dataset["role"] == Role.STANDBY:
        compares = f"hikae verify {dataset['name']} compares the standby with its commit, by hand or by the key verify"
        facts.append(("verified", f"never since it was made here; {compares}"))
    if dataset["promotion"]:
        facts += promotion_lines(dataset["promotion"])
    return facts


def _number(number: Json) -> str:
    return f"{number['epoch']}.{number['seq']}"


def _commit(status: Json, commit: Json) -> str:
    whole = (
        "consistent"
        if commit["consistent"]
        else "not consistent yet: a first sync or a look at everything is under way"
    )
    size = f"{size_text(commit['bytes'])} in {commit['entries']:,} entries"
    made = f"commit {_number(commit)} of {exact_clock(commit['time'], status['clock'])}"
    return f"{made}, {whole}; {size}; digest {commit['digest'][:32]}"


def _peer(status: Json, peer: Json) -> str:
    parts = [f"{peer['name']}{' ' + peer['version'] if peer['version'] else ''}", peer["mode"] or "not connected"]
    if peer["since"]:
        parts[-1] += f" since {clock_text(peer['since'], status['clock'])}"
    parts += [
        f"{key} all before {exact_clock(peer[key], status['clock'])}" for key in ("received", "applied") if peer[key]
    ]
    if peer["durable_seq"]:
        parts.append(
            f"durable {peer['durable_epoch']}.{peer['durable_seq']}, applied {peer['applied_epoch']}.{peer['applied_seq']} there"
        )
    if peer["lag_seconds"] is not None:
        parts.append(f"lag {span_text(peer['lag_seconds'])}")
    if peer["behind_bytes"]:
        parts.append(f"{size_text(peer['behind_bytes'])} behind")
    if peer["state"]:
        parts.append(f"says of itself: {peer['state']} (said first at {exact_clock(peer['said'], status['clock'])})")
    if peer["last_verify"]:
        parts.append(f"verified {_verify(status, peer['last_verify'])}")
    return "; ".join(parts)


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


def _verify(status: Json, verified: Json) -> str:
    how = "to the last byte" if verified["deep"] else "by names, sizes and times"
    found = "equal" if verified["equal"] else f"{verified['differences']:,} differences"
    return f"{clock_text(verified['time'], status['clock'])}: {found} ({how})"
