"""`python -m doorbuster`: the command line, where the `doorbuster` script is not on the path. Owns nothing else."""

from doorbuster.cli import main

main()
