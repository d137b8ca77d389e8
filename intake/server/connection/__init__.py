"""One connection: how bytes come, what HTTP asks of them, how answers leave. Knows no route and no body."""
