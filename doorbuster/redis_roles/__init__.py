"""Redis roles by URL: a single server, Sentinel, Cluster; where a command goes, and what a failed one means."""
