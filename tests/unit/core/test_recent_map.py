"""Maps that remember what came last, against plain lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.core.recent_map import RecentMap, WeighedMap

STEPS = st.lists(st.tuples(st.integers(0, 6), st.binary(max_size=5), st.booleans()))


@given(STEPS, st.integers(1, 4))
def test_the_newest_are_remembered(steps: list[tuple[int, bytes, bool]], most: int) -> None:
    """As many as may be, in the order in which they were put last; what is put again is new again."""
    found = RecentMap[int, bytes](most)
    model: list[tuple[int, bytes]] = []
    for key, value, _ in steps:
        found.remember(key, value)
        model = ([one for one in model if one[0] != key] + [(key, value)])[-most:]
        assert model == list(found.items())


@given(STEPS, st.integers(1, 4), st.integers(0, 9))
def test_the_newest_are_remembered_while_they_are_light(
    steps: list[tuple[int, bytes, bool]], most: int, heaviest: int
) -> None:
    """The oldest go until the others are few and light enough; what is forgotten weighs nothing."""
    found = WeighedMap[int, bytes](most, heaviest, len)
    model: list[tuple[int, bytes]] = []
    for key, value, is_put in steps:
        model = [one for one in model if one[0] != key]
        if is_put:
            found.remember(key, value)
            model = [*model, (key, value)][-most:]
            while sum(len(value) for _, value in model) > heaviest:
                model = model[1:]
        else:
            found.forget(key)
        assert model == list(found.items())
        assert sum(len(value) for _, value in model) == found.weight
    found.forget_all()
    assert (0, 0) == (len(found), found.weight)
