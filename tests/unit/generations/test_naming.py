"""What generations are called."""

from agent.generations.naming import generation_name

#: 2026-11-22 03:15:00.5 UTC.
MOMENT = 1_795_317_300_500_000_000


def test_a_generation_is_called_by_its_second_in_utc() -> None:
    """Fractions of a second do not show."""
    assert generation_name(MOMENT, ()) == "20261122T031500Z"


def test_the_next_of_a_second_is_numbered() -> None:
    """Names that are in use are passed over."""
    assert generation_name(MOMENT, {"20261122T031500Z", "20261122T031500Z-2"}) == "20261122T031500Z-3"
