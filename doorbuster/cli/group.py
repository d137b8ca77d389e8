"""What groups of commands share: help that is not cut off, Ctrl-C as an exception, commands loaded when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

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


class Place(NamedTuple):
    """Where a command is, and its help's first sentence, which can be shown without loading it."""

    module: str
    name: str
    sentence: str


class CommandsByName(Commands):
    """A group whose commands are imported when they are asked for: each start of the program pays for one of them."""

    def __init__(self, *args: Any, places: Mapping[str, Place], **more: Any) -> None:
        super().__init__(*args, **more)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's shape
        """Return all names."""
        return sorted(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's shape
        """Load a command."""
        if (place := self._places.get(cmd_name)) is None:
            return None
        command: click.Command = getattr(import_module(place.module), place.name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's shape
        """List the commands, none of which is loaded for it."""
        rows = [(name, place.sentence) for name, place in sorted(self._places.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
