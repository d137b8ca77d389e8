"""The people of a Locust run: what each kind of them does, and what is noted of it."""
