"""Load: shoppers, spikes, baselines and benchmarks against a running Doorbuster. Never imports its inside."""

from doorbuster.interrupted import quietly

PART_OF = "doorbuster"

quietly()  # here, so that it holds while the entry points are still being imported
