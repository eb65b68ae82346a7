"""Commands of a dataset that are lists of recorded steps: who runs one in a thread of its own, and what all steps share."""
