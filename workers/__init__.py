"""RQ jobs that work off what the intake accepted: shifts, their leases, and the scheduler that starts them."""
