"""Products and search for shoppers. The catalogue decides what is shown."""
