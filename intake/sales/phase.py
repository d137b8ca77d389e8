"""What an order would meet at a sale, by the name under which the intake asks for it. Owns nothing of its own."""

from readiness.phase import effective_phase

__all__ = ["effective_phase"]
