"""The HTTP contract as types: every body, its bounds and the codes of its errors. Never does I/O."""
