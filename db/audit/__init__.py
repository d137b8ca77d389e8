"""The audit: whether every promise holds, by what Postgres and the order store say of it."""
