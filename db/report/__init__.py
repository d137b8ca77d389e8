"""The report of a sale that is over: its figures from Postgres and what the room remembers, and where it is kept."""
