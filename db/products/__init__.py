"""Products: rows, prices, stock, what sales offer of them, search, imports and the changes told to caches."""
