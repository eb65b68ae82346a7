"""What a call of ``peer.proto`` may ask and answer (law 6)."""

from __future__ import annotations

from dataclasses import dataclass

#: Bytes of the arguments of one operation, and of one word of progress or an error.
ARGUMENTS_MAX = 64 << 10
#: Characters of a name: of a dataset, of an operation, of who typed it.
NAME_MAX = 256
#: Bytes of one part of a result, and of all of it.
PART, RESULT_MAX = 512 << 10, 32 << 20
#: Bytes of a certificate or a signature.
CERTIFICATE_MAX = 64 << 10
#: Chunks of one request.
CHUNKS_ASKED = 64


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """``calls``: of one peer at once. In seconds: ``asks_within``: so long its request may take; ``pulse``: so often at least the
    caller hears something; ``silence``: after so long without a word it leaves."""

    calls: int = 8
    asks_within: float = 10.0
    pulse: float = 2.0
    silence: float = 30.0
