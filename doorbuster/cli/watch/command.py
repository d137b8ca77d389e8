"""`doorbuster watch [SALE]`: how a sale goes, redrawn each second; a line a second where it is no terminal.

Owns the options and the rhythm; what is drawn is the other modules'.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from pathlib import Path

import click

from doorbuster.cli import options
from doorbuster.cli.answer import plain
from doorbuster.cli.group import Interrupted
from doorbuster.cli.watch import terminal, words
from doorbuster.cli.watch.cells import Line, Piece, wrap, written
from doorbuster.cli.watch.feed import Feed
from doorbuster.cli.watch.overview import overview
from doorbuster.cli.watch.screen import Screen, draw
from doorbuster.cli.watch.sparkline import ASCII, BLOCKS
from doorbuster.cli.watch.track import Track
from doorbuster.embedded.data.instance import find
from doorbuster.errors import StoreUnavailableError

REDRAW_S = 1.0


@click.command()
@click.argument("sale_id", metavar="[SALE]", required=False)
@click.option("--once", is_flag=True, help="Look once and end.")
@click.option("--json", "as_json", is_flag=True, help="A JSON document a line, one each second.")
@options.data
def watch(sale_id: str | None, data: Path | None, *, once: bool, as_json: bool) -> None:
    """Watch how a sale goes; without SALE the one that is on or next, or all that are on."""
    if sale_id is not None:
        options.check_sale_id(sale_id)
    feed = Feed(find(data), sale_id)
    if once:
        _once(feed, as_json=as_json)
    elif as_json or not terminal.is_terminal():
        _lines(feed, as_json=as_json)
    else:
        _screen(feed)


def _once(feed: Feed, *, as_json: bool) -> None:
    feed.look()
    if any(track.view is not None and track.view["accepted_per_s"] is None for track in feed.tracks):
        time.sleep(REDRAW_S)  # how fast it goes is known from the second look on
        feed.look()
    error = feed.error or next((track.error for track in feed.tracks if track.error), "")
    if error:
        raise StoreUnavailableError(error)
    if as_json:
        _print_json(feed.tracks)
        return
    width, height = terminal.size()
    for line in _drawn(feed, width, height):
        click.echo(written(line, width, terminal.marks()), color=True)


def _lines(feed: Feed, *, as_json: bool) -> None:
    """Print a line a sale and second, until Ctrl-C."""
    while True:
        began = time.monotonic()
        feed.look()
        if as_json:
            _print_json(feed.tracks)
        elif feed.error:
            click.echo(f"{_clock()}  !! no answer: {plain(feed.error)}")
        for track in [] if as_json else feed.tracks:
            silent = f"!! no answer: {plain(track.error)}  " if track.error else ""
            shown = words.one_line(track.view) if track.view and not track.error else plain(track.sale_id)
            click.echo(f"{_clock()}  {silent}{shown}")
        time.sleep(max(0.0, began + REDRAW_S - time.monotonic()))


def _print_json(tracks: list[Track]) -> None:
    for track in tracks:
        told = {"sale_id": track.sale_id, "error": track.error} if track.error or not track.view else track.view
        click.echo(json.dumps(told, ensure_ascii=False))


def _screen(feed: Feed) -> None:
    """Redraw the terminal until Ctrl-C or q."""
    wake, stopping = threading.Event(), threading.Event()
    ended: Interrupted | None = None
    asking = threading.Thread(target=feed.run, args=(wake.set, stopping), daemon=True)
    with terminal.Terminal(wake) as screen:
        asking.start()
        try:
            while feed.failed is None and not screen.asked_to_end():
                width, height = terminal.size()
                screen.show(_drawn(feed, width, height), terminal.marks())
                wake.wait(REDRAW_S)
                wake.clear()
        except KeyboardInterrupt:
            ended = Interrupted()
        finally:
            stopping.set()
    _leave_last(feed)
    if (error := feed.failed or ended) is not None:
        raise error


def _leave_last(feed: Feed) -> None:
    """Leave what was seen last, in a line a sale: the screen is gone with all that stood on it."""
    for track in feed.tracks:
        if track.view is not None:
            click.echo(f"{_clock()}  {words.one_line(track.view)}")


def _drawn(feed: Feed, width: int, height: int) -> list[Line]:
    signs = BLOCKS if terminal.shows_blocks() else ASCII
    drawn = Screen(width, height, time.time(), _clock(), signs)
    tracks = feed.tracks
    if not tracks:
        said = f"!! no answer yet: {plain(feed.error)}" if feed.error else "looking for sales ..."
        return [[Piece(line, "red" if feed.error else "")] for line in wrap(said, width, 3)]
    if len(tracks) > 1:
        lines = overview(tracks, drawn)
        return [*lines, [Piece(f"and {feed.left_out} more sales", "dim")]] if feed.left_out else lines
    return draw(tracks[0], drawn)


def _clock() -> str:
    return f"{datetime.now().astimezone():%H:%M:%S}"
