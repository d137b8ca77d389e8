"""Redis scripts of a room's admissions beside the orders of its sale, one file a verb."""
