"""A standby becomes the primary: the steps, each recorded, and what they act on."""
