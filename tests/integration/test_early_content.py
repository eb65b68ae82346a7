"""A large new file stands on the standby without being read there again: the content came before its commit."""

from __future__ import annotations

import os
import random
from pathlib import Path

from fakes.agents import Agent, Pair, running
from fakes.trees import differences

MIB = 1 << 20
#: So that its list of chunks is cut into pieces, which travel between them.
SIZE = 160 * MIB


def bytes_read(agent: Agent) -> int:
    """What the agent has read from files so far (proc(5), ``rchar``)."""
    assert agent.process is not None
    lines = Path(f"/proc/{agent.process.pid}/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("rchar")))


def test_a_large_new_file_is_not_read_again(rng: random.Random) -> None:
    """The secondary reads far less than it is given, also over a link of which nothing is known yet."""
    with running(Pair) as two:
        two.source.mkdir(exist_ok=True)
        (two.source / "small").write_text("first")
        two.start()
        for agent in two.agents:
            agent.up()
        two.alpha.wait("applied", 60)
        before = bytes_read(two.beta)
        outside = two.source.parent / "large"
        with outside.open("wb") as file:
            for _ in range(SIZE // MIB):
                file.write(rng.randbytes(MIB))
        os.rename(outside, two.source / "large")
        two.alpha.wait("applied", 120)
        assert not differences(str(two.source), str(two.target))
        assert bytes_read(two.beta) - before < SIZE // 4
