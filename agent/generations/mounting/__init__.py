"""Moments as a read-only filesystem: what is shown where, its metadata, its content. Knows no FUSE but in ``fuse``."""
