"""What a payment provider of ours has: the simulated one's books."""
