"""The truth: schema, queries, pools and the state machine. Knows Postgres, never Redis, HTTP or RQ."""

PART_OF = "doorbuster"
