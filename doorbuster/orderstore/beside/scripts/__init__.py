"""Lua scripts of the order store, one file a verb. Never decides anything in Python."""
