"""``python -m house check`` (``make lint``): laws and decisions that are cited stand in the documentation, pages that are
made from the source are what it makes of them, public names have one meaning, problems take their codes from the registry, what
production always gives has no default that does nothing, and no folder is too full.

``house pages`` makes the pages (``make pages``); ``house figures [CHECKOUT]`` prints how it reads; ``house draw SEED`` thirty
functions without their places, ``house places SEED`` where these stand; ``house walks [CHECKOUT]`` runs two agents and counts how
often the way of a value leads back."""

from __future__ import annotations

import sys
from pathlib import Path

from house import figures, glossary, idle_defaults, names, pages, problem_codes, references
from house.draw import draw
from house.source import read_source
from house.walks import walks_text


def main(arguments: list[str]) -> int:
    """The exit code: 1 where a check found something."""
    match arguments:
        case ["check"]:
            return _check()
        case ["pages"]:
            pages.make(Path())
        case ["figures", *where]:
            for name, value in figures.figures(read_source(Path(*where or ["."]))).items():
                print(f"{name:45} {value}")
        case ["walks", *where]:
            print(walks_text(Path(*where or ["."])))
        case ["draw", seed]:
            for at, (_, text) in enumerate(draw(read_source(Path()), int(seed)), 1):
                print(f"--- {at}\n{text}\n")
        case ["places", seed]:
            for at, (path, _) in enumerate(draw(read_source(Path()), int(seed)), 1):
                print(f"{at:2} {path}")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def _check() -> int:
    source = read_source(Path())
    lines = [
        *references.mistakes(source),
        *pages.mistakes(Path()),
        *names.mistakes(source),
        *problem_codes.mistakes(source),
        *idle_defaults.mistakes(source),
        *figures.mistakes(source),
        *glossary.mistakes(Path()),
    ]
    print("\n".join(lines) if lines else f"{len(source.agent)} modules: references resolve, names have one meaning")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
