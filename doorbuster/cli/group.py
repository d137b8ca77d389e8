"""What all groups of commands share: help that is not cut off, and Ctrl-C as an exception of its own."""

from __future__ import annotations

from typing import Any

import click

_WHOLE = 200
"""Characters of a command's first sentence; more than any has."""


class Interrupted(click.ClickException):
    """Ctrl-C, before click makes an empty line of it."""

    def __init__(self) -> None:
        super().__init__("interrupted")


class Commands(click.Group):
    """A group of commands, all of which Ctrl-C may end at any time."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's shape
        """List the commands, each with its whole first sentence."""
        rows = [(name, command.get_short_help_str(_WHOLE)) for name, command in sorted(self.commands.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
