"""What is kept of a dataset's past, in sentences: here, or on the peer that says that it keeps most."""

from __future__ import annotations

from agent.status.figures import clock_text, count_text, size_text, span_text
from agent.status.page.cells import exact_clock
from agent.status.published import Json

#: So many of the newest things that became of generations are told; events have them all.
_NOTES = 3


def past_facts(status: Json, dataset: Json) -> list[tuple[str, str]]:
    """Label and sentence of each fact that is known: of the node that is told of first, then of each peer that keeps more."""
    first = dataset["history"] or dataset["vault"]
    others = [peer for peer in dataset["peers"] if first and peer["name"] != first["node"]]
    return [fact for holder in (dataset, *others) for fact in _kept(status, dataset, holder)]


def _kept(status: Json, dataset: Json, holder: Json) -> list[tuple[str, str]]:
    """``holder``: the dataset, or one of its peers."""
    facts = []
    vault = holder["vault"]
    if vault and (sentence := _vault(status, vault)):
        facts.append(("vault", _whose(status, dataset, vault) + sentence))
    if vault and (sentence := _checked(status, vault["verified"])):
        facts.append(("chunks", _whose(status, dataset, vault) + sentence))
    if holder["history"]:
        facts.append(("history", _whose(status, dataset, holder["history"]) + _past(status, holder)))
        notes = holder["generations"]["notes"][-_NOTES:]
        facts += [
            ("", f"{clock_text(one['time'], status['clock'])}: {one['sentence']} ({one['code']})") for one in notes
        ]
    return facts


def _whose(status: Json, dataset: Json, part: Json) -> str:
    """ "" for this node's own; a peer that is not connected said it some time ago."""
    if part["said"] is None:
        return ""
    connected = any(peer["name"] == part["node"] and peer["connected"] for peer in dataset["peers"])
    heard = "" if connected else f", heard {exact_clock(part['said'], status['clock'])}"
    return f"on {part['node']}{heard}: "


def _past(status: Json, holder: Json) -> str:
    """How far back any moment can be brought back, and what is kept beyond."""
    reaches, kept = holder["history"]["reaches"], holder["generations"]
    words = f"every moment since {exact_clock(reaches, status['clock'])}" if reaches else "nothing has come yet"
    if until := holder["history"].get("until"):
        # A node that was promoted adds nothing: in the end history has passed all of it, and generations stay.
        last = exact_clock(until, status["clock"])
        words = f"{words} and until {last}, from before it was promoted" if reaches else "past: it was promoted"
    if holder["history"]["wanted"]:
        words = f"{words} (wanted: {span_text(holder['history']['wanted'])})"
    parts = [words, count_text(kept["count"], "generation")]
    if kept["count"] > 1 and kept["oldest"]:
        parts.append(f"the oldest of {clock_text(kept['oldest'], status['clock'])}")
    if kept["newest"]:
        parts.append(f"the newest of {clock_text(kept['newest'], status['clock'])}")
    return "; ".join(parts)


def _vault(status: Json, vault: Json) -> str:
    """ "" in the first hour, where there is no limit: nothing is to be said yet."""
    if vault["limit"] is None and vault["bytes_per_day"] is None:
        return ""
    parts = [size_text(vault["bytes"]) + (f" of {size_text(vault['limit'])}" if vault["limit"] is not None else "")]
    if vault["ratio"] is not None:
        parts.append(f"what can be brought back by name is {vault['ratio']:.1f} times that")
    if vault["bytes_per_day"] is not None:
        grows = "grows" if vault["bytes_per_day"] >= 0 else "shrinks"
        parts.append(f"{grows} by {size_text(abs(vault['bytes_per_day']))} a day")
    if vault["full_at"]:
        parts.append(f"full {exact_clock(vault['full_at'], status['clock'])} at that rate")
    return "; ".join(parts)


def _checked(status: Json, verified: Json) -> str:
    """ "" where no chunk was ever read to check it."""
    last = verified["last"]
    if last is None and verified["since"] is None and not verified["damaged"]:
        return ""
    since = verified["since"]
    parts = [
        f"all read and checked since {exact_clock(since, status['clock'])}" if since else "not all read and checked yet"
    ]
    if last is not None:
        found = f" ({last['damaged']:,} damaged, {last['mended']:,} put back)" if last["damaged"] else ""
        parts.append(f"last {clock_text(last['time'], status['clock'])}, {size_text(last['checked_bytes'])}{found}")
    count = verified["damaged"]
    parts.append(f"{count:,} lost" if count else "none known to be lost")
    return "; ".join(parts)
