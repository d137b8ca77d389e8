"""Orders of shoppers: posted, read, watched, cancelled. Never reserves stock."""
