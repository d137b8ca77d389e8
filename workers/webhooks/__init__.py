"""Tells webhooks what was committed: fans events out to endpoints, sends each with its signature. Decides nothing."""
