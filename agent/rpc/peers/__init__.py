"""What nodes ask of each other beside replication (``peer.proto``): commands that concern another, moments that are read."""
