"""Real agents in situations that an operator meets: ``make situations`` prints what ``hikae status`` and ``hikae check`` say on
both nodes, so that somebody who has never seen them can be asked what is wrong, whether data is at risk, what to type, and where.

``ARGS='held paused --to DIR'``: only these, and each page into ``DIR/NAME.txt``. Places of this machine are written as a real
installation has them."""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path
from typing import Any

from agent.status.check import check_line
from agent.status.page import status_page
from fakes.agents import Agent, Pair
from situations.prepared import SITUATIONS, Situation

Json = dict[str, Any]
_WIDTH = 80


def main() -> int:
    """The exit code: 0 where every situation came about."""
    parser = argparse.ArgumentParser(prog="situations")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SITUATIONS))
    parser.add_argument("--to", type=Path, help="a directory for the pages")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in SITUATIONS]
    if unknown:
        parser.error(f"there is no situation {', '.join(unknown)}")
    failed = [name for name in asked.names or SITUATIONS if not _show(name, SITUATIONS[name], asked.to)]
    if failed:
        print(f"did not come about: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _show(name: str, situation: Situation, to: Path | None) -> bool:
    """Whether it came about."""
    try:
        with situation() as both:
            page = "\n\n".join(_of(agent, both) for agent in both.agents)
    except Exception:
        traceback.print_exc()
        return False
    print(f"=== {name}\n\n{page}\n", flush=True)
    if to is not None:
        to.mkdir(parents=True, exist_ok=True)
        (to / f"{name}.txt").write_text(page + "\n")
    return True


def _of(agent: Agent, both: Pair) -> str:
    """What a node says; of one that is down, what its commands say."""
    value = agent.seen() if agent.process is not None else None
    if value is None:
        done = agent.run("status")
        return f"{agent.name}$ hikae status\n{_as_installed(done.stderr.rstrip(), agent, both)}"
    shown = _as_installed(value, agent, both)
    line, code = check_line(shown)
    return (
        f"{agent.name}$ hikae status\n{status_page(shown, _WIDTH).plain}\n\n"
        f"{agent.name}$ hikae check\n{line}\n(exit code {code})"
    )


def _as_installed(value: Any, agent: Agent, both: Pair) -> Any:
    """With the places that the README names, instead of this machine's."""
    if isinstance(value, dict):
        return {key: _as_installed(one, agent, both) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_installed(one, agent, both) for one in value]
    if not isinstance(value, str):
        return value
    places = {
        str(both.source): "/srv/web",
        str(both.target): "/srv/web",
        str(agent.socket.parent): "/run/hikae",
        str(agent.state): "/var/lib/hikae",
        str(agent.pki): "/etc/hikae/pki",
        str(both.base): "/etc/hikae",
        **{f"127.0.0.1:{one.port}": f"{one.name}.example:7440" for one in both.agents},
    }
    for place, instead in places.items():
        value = value.replace(place, instead)
    return value


if __name__ == "__main__":
    sys.exit(main())
