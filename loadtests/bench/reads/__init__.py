"""What is measured of reading and waiting, each against a floor or rival."""
