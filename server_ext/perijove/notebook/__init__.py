"""Inside notebooks: the magics."""
