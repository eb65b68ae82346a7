"""What keeps a vault in order when an operator asks for it: checks of its chunks, and collections."""
