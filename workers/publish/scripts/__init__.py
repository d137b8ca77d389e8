"""Lua scripts that only the workers run, one file a verb. Never decides anything in Python."""
