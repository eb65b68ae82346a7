"""A vault that is new beside a tree whose catalog is known, as when an old primary rejoins: it is filled from the tree.

One commit, durable, says what the tree was when it began, and a cursor over object ids how far the vault is; nobody keeps a table
of chunks. What lies behind the cursor is in the packs. What lies before it is read from the file of the row that names it, and
believed by its name. An object's chunks are copied before anything replaces them.
"""
