"""Signing in to the page of ops: sessions by cookie, second factors, second keys."""
