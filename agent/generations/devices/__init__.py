"""Moments of devices: what an image of one holds, and how it is brought back to an image file or a block device."""
