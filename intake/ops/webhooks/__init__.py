"""Webhooks as ops keep them: endpoints, secrets, tests, replays, the log of deliveries. Delivers nothing itself."""
