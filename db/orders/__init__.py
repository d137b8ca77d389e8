"""Orders: their states, transitions, reservations, events and dead letters."""
