"""What it is sent to: whole systems, servers and nodes, on the loopback alone."""
