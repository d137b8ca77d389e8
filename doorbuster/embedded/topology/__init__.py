"""The stores of a run as groups of processes: one server, a cluster, a primary with sentinels, a pair."""
