"""How it is sent: connections, open and closed loops, and what came of each order."""
