"""What is measured of the way of an order, from its post to the world, each against a floor or rival."""
