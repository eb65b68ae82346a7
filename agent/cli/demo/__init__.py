"""``hikae demo``: the main job on this machine, in a directory that is gone afterwards."""
