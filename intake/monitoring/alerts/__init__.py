"""What wakes people: the table of alerts, what it says to Prometheus, which alerts fire by this process's figures."""
