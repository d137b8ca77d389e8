"""Tests: unit, integration, races, faults."""
