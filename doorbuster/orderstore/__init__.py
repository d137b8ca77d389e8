"""The order store: its entries, gates and what is asked of its streams. Knows no HTTP and no Postgres."""
