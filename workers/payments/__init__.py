"""Payments of reserved orders, and holds that end. Never inside a transaction."""
