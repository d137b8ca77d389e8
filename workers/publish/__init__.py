"""Tells the world what was committed: events, changes of the catalogue, units left. Decides nothing."""
