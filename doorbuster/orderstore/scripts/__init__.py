"""Lua scripts of the order store that more than one room runs, one file a verb. Never decides anything in Python."""
