"""Floors and rivals that are measured in the same run."""
