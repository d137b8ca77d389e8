"""How answers are printed: sentences and tables for people, JSON for programs. Owns their form, never what is said."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from doorbuster.errors import InvalidError

as_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")


def print_json(answer: Any) -> None:
    """Print an answer of the API as one JSON document."""
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows in columns under a head; numbers stand to the right."""
    cells = [list(head), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    right = [
        bool(rows) and all(isinstance(row[column], int | float) or row[column] is None for row in rows)
        for column in range(len(head))
    ]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    )


def plain(value: object) -> str:
    """Return a value as it may stand on a terminal: on one line, without what would steer the terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "".join(sign if sign.isprintable() else "?" for sign in str(value))


def warn(text: str) -> None:
    """Tell of something that is allowed and probably not meant."""
    click.echo(f"warning: {plain(text)}", err=True)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be undone; `yes` was said beforehand.

    Raises:
        InvalidError: nobody could be asked.
        Declined: the answer was no.
    """
    if yes:
        return
    is_asked = sys.stdin.isatty()
    if is_asked:
        click.echo(f"{question} [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        if is_asked:
            click.echo("", err=True)
        raise InvalidError(f"{question} This cannot be undone and nobody answered: say --yes")
    if not is_asked:
        click.echo(question, err=True)
    if answer.strip().lower() not in ("y", "yes"):
        raise Declined


class Declined(click.ClickException):
    """The answer was no."""

    def __init__(self) -> None:
        super().__init__("nothing was done")
