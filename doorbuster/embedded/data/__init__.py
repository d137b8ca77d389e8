"""What lies in the data folder of an instance, and whether it may be believed."""
