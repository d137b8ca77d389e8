"""The HTTP edge: accepts orders durably, shows what became of them, and serves ops. Never reserves stock."""

PART_OF = "doorbuster"
