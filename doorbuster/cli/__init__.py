"""The command line: one module a command. Owns what is printed and every exit code; decides no business rule.

Exit codes: 0 done, 1 the answer is bad or something failed on the way, 2 what was asked for or the settings are wrong.
"""

from doorbuster.cli.app import main

__all__ = ["main"]
