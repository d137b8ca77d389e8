"""Who may do what: the keys of ops, and what their roles do not allow."""
