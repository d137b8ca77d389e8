"""The command line: one module a command. Owns what is printed and every exit code; decides no business rule.

Exit codes: 0 done, 1 the answer is bad or something failed on the way, 2 what was asked for or the settings are wrong,
130 interrupted.
"""

from __future__ import annotations

import sys

from doorbuster.interrupted import EXIT_CODE, say_interrupted

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit; Ctrl-C while it is still being loaded is told like any other."""
    try:
        from doorbuster.rooms import require_rooms

        require_rooms()
        from doorbuster.cli.app import run

        code = run()
    except KeyboardInterrupt:
        say_interrupted()
        code = EXIT_CODE
    sys.exit(code)
