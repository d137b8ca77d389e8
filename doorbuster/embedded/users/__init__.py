"""Which system user a process runs as, and what that user can read."""
