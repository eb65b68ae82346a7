"""An old primary becomes a standby again: how it is brought there, and what it does until its vault is whole."""
