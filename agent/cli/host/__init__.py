"""Commands that look at this host and its files, and ask no agent."""
