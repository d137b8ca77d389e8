"""What is measured for the fleet: its service times, and what the model says against what a machine does."""
