"""The work of shifts: what is due, who holds it, how far it is, and what the drain writes."""
