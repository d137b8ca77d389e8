"""What an order would meet at a sale, by the name under which the intake asks for it. Owns nothing of its own."""

from readiness.phase import CLOCKS_APART, effective_phase, shut_phase

__all__ = ["CLOCKS_APART", "effective_phase", "shut_phase"]
