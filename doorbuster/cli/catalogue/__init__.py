"""Commands of products, stock and imports."""
