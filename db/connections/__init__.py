"""Connections to Postgres: pools, the servers that are read from, and which of them is. Owns no statement."""
