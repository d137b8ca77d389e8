"""Webhooks in Postgres: endpoints, their deliveries, what is told beside orders. Never speaks HTTP."""
