"""How returns on a walk are counted."""

from house.walks import Walk, walk_of

A, B, C = ("a.py", "f"), ("b.py", "g"), ("c.py", "h")


def test_a_step_into_a_file_that_was_met_is_a_return() -> None:
    """From a to b, to c, and from c into b again; calls within a file are no steps."""
    assert walk_of([[(A, B, False), (B, ("b.py", "i"), False), (B, C, False), (C, B, True)]], set()) == Walk(3, 1, 1, 3)


def test_what_happens_anyway_counts_for_nothing() -> None:
    """An idle call is no step and meets no file."""
    assert walk_of([[(A, B, False), (B, C, False)]], {repr((A, B))}) == Walk(1, 0, 0, 2)
