"""A fleet of intakes, order stores, workers and Postgres on a virtual clock, and what its parts take, measured."""
