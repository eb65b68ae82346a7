"""What a primary is made of: its reign, its watched root, its standbys and the calls to them."""
