"""The way into the stream: one batch of orders, one call. Knows no HTTP."""
