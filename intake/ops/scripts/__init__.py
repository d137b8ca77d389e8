"""Redis scripts that ops' calls run, one file a verb."""
