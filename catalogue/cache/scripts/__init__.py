"""Redis scripts of the catalogue, one file a verb."""
