"""How the cost of an order grows with what is kept, sold and said: `python -m loadtests.growth`."""
