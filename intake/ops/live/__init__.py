"""A sale as ops watch it while it goes on: looked at once a second, whoever asks."""
