"""Payments by Stripe, on its official client. Imported only where `PAYMENT_PROVIDER=stripe` chooses it."""
