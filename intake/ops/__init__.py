"""What ops may see and change, each call with a key and each change noted."""
