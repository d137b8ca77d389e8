"""Rows of what is done ahead of a sale: its steps, reports and scale, and what is measured for them."""
