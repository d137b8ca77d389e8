"""What is measured and judged of the running system: health, readiness, metrics. Changes nothing."""
