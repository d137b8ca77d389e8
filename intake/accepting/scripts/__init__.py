"""Lua scripts that only the intake runs, one file a verb. Never decides anything in Python."""
