"""Commands that look into history: what differs, what stood where, and history as a filesystem."""
