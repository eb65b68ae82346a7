"""Two hundred datasets with twenty peers each: every page keeps to its width and is there at once, and check stays a line."""

from __future__ import annotations

import time

import pytest
from rich.cells import cell_len

from agent.status.check import check_line
from agent.status.facts import NodeFacts
from agent.status.page import dataset_page, status_page
from agent.status.published import Json, status_json
from fakes.api_fakes import a_dataset, a_node, a_peer, a_problem

DATASETS, PEERS = 200, 20
#: A name as long as filesystems allow, of characters that take several bytes, with what would move a cursor.
LONGEST = ("漢" * 83 + "\n\x1b[2J").encode()


def _facts(connected: int = 3) -> NodeFacts:
    """Of each ``connected`` peers one is away."""

    def peers(number: int) -> tuple[object, ...]:
        away = [(number + peer) % connected == 0 for peer in range(PEERS)]
        return tuple(
            a_peer(
                name=f"peer-{peer}", connected=not is_away, mode="" if is_away else "catchup", behind_bytes=peer << 20
            )
            for peer, is_away in enumerate(away)
        )

    problems = (a_problem(path=LONGEST), a_problem("stalled"))
    return a_node(*(a_dataset(f"d{number}", peers=peers(number), problems=problems) for number in range(DATASETS)))


@pytest.fixture(scope="module")
def value() -> Json:
    """As published."""
    return status_json(_facts())


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_page_of_many_keeps_to_its_width_and_is_there_at_once(value: Json, width: int) -> None:
    """In half a second of the processor: at the fastest of three, as other work beside it slows what one takes."""
    took: list[float] = []
    lines: list[str] = []
    for _ in range(3):
        begun = time.process_time()
        lines = status_page(value, width).plain.splitlines()
        took.append(time.process_time() - begun)
    assert ([], True) == ([line for line in lines if cell_len(line) > width], min(took) < 0.5), took
    assert len(lines) > DATASETS * PEERS
    long_form = dataset_page(value, value["datasets"][0], width).plain.splitlines()
    assert ([], True) == ([line for line in long_form if cell_len(line) > width], len(long_form) > PEERS)


def test_a_check_of_many_names_the_worst(value: Json) -> None:
    """Ten, and how many more there are: a line that monitoring systems take whole, but for the figures behind its bar."""
    line, code = check_line(value)
    words = line.partition(" | ")[0]
    assert (2, True, 1) == (code, len(words.encode()) < 16_384, len(line.splitlines()))
    assert "and 190 more: hikae status" in words
    well, code = check_line(status_json(a_node(*(a_dataset(f"d{number:03}") for number in range(DATASETS)))))
    assert (0, "HIKAE OK - 200 datasets: d000, ") == (code, well[:31])
    assert well.partition(" | ")[0].endswith(", d009, 190 more")
