"""Options that several commands share, and numbers that are numbers."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import click

from doorbuster.contract.fields import SALE_ID
from doorbuster.errors import NotFoundError


class Number(click.FloatRange):
    """A number in bounds; `nan` is in none, though no comparison says so, and `inf` is beyond all."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number that was written."""
        found: float = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is no number.", param, ctx)
        return found


def check_sale_id(sale_id: str) -> None:
    """Check that a sale may be called so.

    Raises:
        NotFoundError: no sale can have this id; percent-encoded or not, it would name another place.
    """
    if not re.fullmatch(SALE_ID, sale_id):
        raise NotFoundError(f"there is no sale {sale_id!r}")


data = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder of the instance [default: .doorbuster, or the one started last]",
)
