"""Load: shoppers, spikes, baselines and benchmarks against a running Doorbuster. Never imports its inside."""

PART_OF = "doorbuster"
