"""What a standby is made of: the calls that it serves, how they keep pace with the applier, and the reign that it keeps."""
