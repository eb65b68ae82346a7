"""The content of files on the standby: written new, compared, mended in place."""
