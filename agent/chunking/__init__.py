"""Bytes to chunks and back: where content is cut, what a list of chunks names, and what differs between two of them."""
