"""The parts of a fleet on a virtual clock."""
