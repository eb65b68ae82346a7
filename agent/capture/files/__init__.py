"""The files of a tree: when they are read, and what of them goes into the batch."""
