"""The standby of a device: an image file or a block device, made equal to commits by chunks of 64 KiB."""
