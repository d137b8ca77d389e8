"""Starts more processes ahead of a sale and fewer after it, wherever they run: one adapter a way of running them."""
