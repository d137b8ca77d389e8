"""What payment providers say by themselves: their signed callbacks, taken as hints to look."""
