"""The vault: every chunk of one dataset by its name."""
