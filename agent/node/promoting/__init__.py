"""A standby that may become the primary: what that would be, and how it is done."""
