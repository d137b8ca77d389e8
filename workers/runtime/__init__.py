"""What every shift stands on: its lease and budget, the RQ worker and queue, failures told apart. Knows no order."""
