"""Chunks that a vault has lost, and where they come back from."""
