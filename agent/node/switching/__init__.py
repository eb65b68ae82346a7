"""A switchover on both its nodes: what its steps do to the side that is open, and what one asks of the other."""
