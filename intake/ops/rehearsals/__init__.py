"""Rehearsals as ops make, follow and end them."""
