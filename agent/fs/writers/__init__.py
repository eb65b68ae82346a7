"""Who may be writing: what processes hold open, and what the kernel says of one file."""
