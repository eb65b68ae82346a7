"""hikae (控え): the copy that is kept ready. See README.md and docs/architecture.md."""

__version__ = "0.1.0"
