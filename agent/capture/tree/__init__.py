"""A directory tree, compared with the catalog: what stands at names, and walks over all of it."""
