"""The contract of the night of a sale: what ops watch, what is checked before, what is told after."""
