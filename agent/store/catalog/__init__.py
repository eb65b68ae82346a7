"""The catalog: the rows, commits and epochs of one dataset through time."""
