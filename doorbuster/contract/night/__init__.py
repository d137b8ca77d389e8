"""The HTTP contract of the night of a sale: what is watched, and what is told of it afterwards."""
