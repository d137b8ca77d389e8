"""`doorbuster keys ...`: the keys that sign tickets and admissions. Never prints those of an instance it can change."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import click

from doorbuster.cli import options
from doorbuster.cli.answer import confirm
from doorbuster.cli.answer import yes as yes_option
from doorbuster.cli.group import Commands
from doorbuster.embedded.data.folder import DataFolder
from doorbuster.embedded.data.instance import find
from doorbuster.errors import NotFoundError
from waitingroom.key_rotation import OVERLAP_S, Rotation, rotate

SPREAD_S = 3.0
"""An intake looks at its keys each second: after so long every process knows a new one."""


@click.group(cls=Commands)
def keys() -> None:
    """Change the keys that sign tickets and admissions."""


@keys.command("rotate")
@click.option(
    "--overlap-s",
    type=click.IntRange(min=0),
    default=OVERLAP_S,
    show_default=True,
    help="How long a key that no longer signs still verifies; 0 voids every ticket and admission there is.",
)
@yes_option
@options.data
def rotate_keys(overlap_s: int, data: Path | None, *, yes: bool) -> None:
    """Sign with a new key from now on; the former ones verify for the overlap.

    A running instance of `doorbuster up` takes it up by itself, without a restart. Where ROOM_KEYS is set, prints the
    two values to give it, one after the other: with the first every process knows the new key, with the second it
    signs.
    """
    if overlap_s == 0:
        confirm("Make every ticket and admission of every sale worthless?", yes=yes)
    if given := os.environ.get("ROOM_KEYS"):
        found = _rotated(given, overlap_s)
        click.echo(f"ROOM_KEYS={found.known}\nROOM_KEYS={found.signing}")
        click.echo("set the first in every process; when all of them run with it, set the second", err=True)
        return
    folder = DataFolder(find(data).data or _no_folder())
    if not folder.secrets_file.exists():
        _no_folder()
    _turn(folder, _rotated(folder.secrets()["room_keys"], overlap_s))


def _turn(folder: DataFolder, found: Rotation) -> None:
    folder.keep_secret("room_keys", found.known)
    time.sleep(SPREAD_S)
    folder.keep_secret("room_keys", found.signing)
    dropped = f"; dropped: {', '.join(found.dropped)}" if found.dropped else ""
    click.echo(f"key {found.kid} signs, within a second{dropped}")


def _rotated(keys_now: str, overlap_s: int) -> Rotation:
    return rotate(keys_now, secret=secrets.token_urlsafe(32), now_s=time.time(), overlap_s=overlap_s)


def _no_folder() -> Path:
    raise NotFoundError("no instance of `doorbuster up` found here; on real servers set ROOM_KEYS to what it is now")
