"""Commands that look into history, and that bring it back: what differs, what stood where, a filesystem, a rollback."""
