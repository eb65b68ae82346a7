"""What a node keeps of the past, as bytes in its standing: cut where it goes out, refused where it comes in impossible."""

from __future__ import annotations

import math

from agent.core.kept import NOTES_KEPT, HistoryFacts, KeptNote, KeptPast, VaultCheck, VaultFacts, VaultVerified
from agent.rpc.said_values import said_moment, said_number, said_text, said_word
from agent.rpc.wire import replication_pb2 as pb
from agent.stream.messages import TEXT_MAX, bad, told_bytes

_GROWTH_LIMIT = 1 << 62


def fill_past(out: pb.StandingPast, past: KeptPast) -> None:
    """Write ``past`` into ``out``."""
    history = past.history
    out.reaches, out.wanted, out.generations = history.reaches_ns or 0, past.wanted, history.generations
    out.oldest, out.newest = history.oldest_ns or 0, history.newest_ns or 0
    for note in history.notes[-NOTES_KEPT:]:
        out.notes.add(at=note.at, code=note.code, sentence=note.sentence[:TEXT_MAX])
    if past.vault is not None:
        _fill_vault(out.vault, past.vault)


def read_past(said: pb.StandingPast) -> KeptPast:
    """What ``said`` says. Raises ``WireError``."""
    if len(said.notes) > NOTES_KEPT:
        raise bad(f"{len(said.notes)} notes of generations")
    history = HistoryFacts(
        reaches_ns=said_moment(said.reaches) or None,
        generations=said_number(said.generations),
        oldest_ns=said_moment(said.oldest) or None,
        newest_ns=said_moment(said.newest) or None,
        notes=tuple(KeptNote(said_moment(one.at), said_word(one.code), said_text(one.sentence)) for one in said.notes),
    )
    return KeptPast(history, said_number(said.wanted), _read_vault(said.vault) if said.HasField("vault") else None)


def _fill_vault(out: pb.StandingVault, vault: VaultFacts) -> None:
    out.bytes, out.full_at = told_bytes(vault.bytes), vault.full_at_ns or 0
    if vault.limit is not None:
        out.limit = told_bytes(vault.limit)
    if vault.ratio is not None:
        out.ratio = vault.ratio
    if vault.bytes_per_day is not None:
        out.bytes_per_day = max(-_GROWTH_LIMIT, min(vault.bytes_per_day, _GROWTH_LIMIT))
    out.verified_since, out.damaged = vault.verified.since_ns or 0, vault.verified.damaged
    last = vault.verified.last
    if last is not None:
        out.last.time, out.last.checked_bytes = last.time_ns, told_bytes(last.checked_bytes)
        out.last.damaged, out.last.mended = last.damaged, last.mended


def _read_vault(said: pb.StandingVault) -> VaultFacts:
    return VaultFacts(
        bytes=said_number(said.bytes),
        limit=said_number(said.limit) if said.HasField("limit") else None,
        ratio=_ratio(said.ratio) if said.HasField("ratio") else None,
        bytes_per_day=_growth(said.bytes_per_day) if said.HasField("bytes_per_day") else None,
        full_at_ns=said_moment(said.full_at) or None,
        verified=VaultVerified(
            said_moment(said.verified_since) or None,
            said_number(said.damaged),
            _read_check(said.last) if said.HasField("last") else None,
        ),
    )


def _read_check(said: pb.StandingVaultCheck) -> VaultCheck:
    counts = said_number(said.checked_bytes), said_number(said.damaged), said_number(said.mended)
    return VaultCheck(said_moment(said.time), *counts)


def _ratio(value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise bad(f"the ratio {value}")
    return value


def _growth(value: int) -> int:
    if abs(value) > _GROWTH_LIMIT:
        raise bad(f"{value} bytes a day")
    return value
