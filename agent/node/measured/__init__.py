"""What is measured of a dataset while it runs: lag, what a standby equals, first syncs, comings and goings."""
