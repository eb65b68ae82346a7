"""The generations of a standby: when one is due, how it is taken, who writes it into the catalog and lets it go."""
