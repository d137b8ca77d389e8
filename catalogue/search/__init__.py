"""Search over the catalogue: one interface, two backends."""
