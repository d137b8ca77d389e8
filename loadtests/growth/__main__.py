"""`python -m loadtests.growth`."""

from __future__ import annotations

import sys

from loadtests.growth.run import main

sys.exit(main(sys.argv[1:]))
