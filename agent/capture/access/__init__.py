"""How capture gets at a tree (``seam``): what stands there now, or what stood there at one moment."""
