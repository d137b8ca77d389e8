"""The embedded stores: PostgreSQL, its replicas and Valkey, from wheels."""
