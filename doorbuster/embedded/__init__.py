"""The embedded engine: PostgreSQL and Valkey from wheels, and the supervisor of one machine.

It knows processes, folders, ports and URLs; it never reads or writes what is in the stores.
"""
