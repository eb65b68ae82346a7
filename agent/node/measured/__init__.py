"""What is measured of a dataset while it runs: lag, first syncs, comings and goings."""
