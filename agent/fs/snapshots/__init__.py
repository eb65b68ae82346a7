"""Moments that a filesystem keeps itself: read-only snapshots of btrfs."""
