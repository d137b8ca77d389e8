"""Rehearses a sale on the stack that will sell it: finds the rate at which something breaks, and plays a crowd."""
