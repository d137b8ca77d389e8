"""Pages for people: the waiting page, the demonstration shop, orders and problems. Decides nothing."""
