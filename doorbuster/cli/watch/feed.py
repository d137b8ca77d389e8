"""Asks the intake once a second how sales go, beside whoever draws. Owns the asking, and which sales are watched.

An intake that is away is asked on and on: what was known stays.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from doorbuster.cli.ops import call
from doorbuster.cli.watch.track import KEEP_S, Track
from doorbuster.errors import DoorbusterError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from doorbuster.embedded.data.instance import Instance

EVERY_S = 1.0
WITHIN_S = 4.0
CHOOSE_S = 5.0
"""How often it is looked which sales there are, where none was named."""
SALES_MAX = 20
_ON = ("open", "hold", "drain")


class Feed:
    """The sales that are watched."""

    def __init__(self, instance: Instance, sale_id: str | None) -> None:
        self._instance, self._named = instance, sale_id
        self._began_s = time.time()
        self.tracks: list[Track] = [] if sale_id is None else [Track(sale_id, self._began_s)]
        self.left_out = 0
        """Sales beyond `SALES_MAX`."""
        self.error = ""
        """Why nobody knows which sales there are."""
        self.failed: Exception | None = None
        """Why it is of no use to go on."""
        self._chosen_s: float | None = None
        self._seen = False

    def look(self) -> None:
        """Ask once about all of them; what does not answer is noted, not raised.

        Raises:
            NotFoundError: there is no such sale, or none that is on or to come.
            InvalidError: the very first answer was that the key is not good.
        """
        if self._named is None and (self._chosen_s is None or time.monotonic() - self._chosen_s >= CHOOSE_S):
            self._choose()
        # Threads that nobody waits for at the end of the program: an intake that hangs must not hold up Ctrl-C.
        beside = [threading.Thread(target=self._ask, args=(track,), daemon=True) for track in self.tracks[1:]]
        for one in beside:
            one.start()
        for track in self.tracks[:1]:
            self._ask(track)
        for one in beside:
            one.join()

    def run(self, told: Callable[[], None], stopping: threading.Event) -> None:
        """Ask every second, and tell after each time, until it is of no use or to stop."""
        while not stopping.is_set():
            began = time.monotonic()
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  raised again by who draws
                self.failed = error
                return
            finally:
                told()
            stopping.wait(max(0.0, began + EVERY_S - time.monotonic()))

    def _ask(self, track: Track) -> None:
        params = {"history_s": str(KEEP_S)} if track.needs_past else None
        path = f"/ops/sales/{quote(track.sale_id, safe='')}/live"
        try:
            view = call(self._instance, "GET", path, params=params, within_s=WITHIN_S)
        except DoorbusterError as error:
            if isinstance(error, NotFoundError | InvalidError) and self._named is not None and not self._seen:
                raise
            track.fail(error.detail)
        else:
            self._seen = True
            track.take(view, time.time())

    def _choose(self) -> None:
        """Choose the sales that are on, else the next one."""
        try:
            sales = call(self._instance, "GET", "/ops/status", within_s=WITHIN_S)["sales"]
        except DoorbusterError as error:
            if isinstance(error, InvalidError) and not self._seen:
                raise
            self.error = error.detail
            for track in self.tracks:
                track.fail(error.detail)
            return
        self._chosen_s, self.error = time.monotonic(), ""
        chosen = chosen_of(sales)
        if not chosen and not self.tracks:
            raise NotFoundError("no sale is on or to come: name one, `doorbuster watch SALE`")
        if chosen:
            known = {track.sale_id: track for track in self.tracks}
            self.left_out = max(len(chosen) - SALES_MAX, 0)
            self.tracks = [known.get(one) or Track(one, time.time()) for one in chosen[:SALES_MAX]]


def chosen_of(sales: list[dict[str, Any]]) -> list[str]:
    """Return the ids of the sales that are on, those that began first in front; where none is, of the next one."""
    on = sorted((one for one in sales if one["phase"] in _ON), key=lambda one: (one["starts_at"], one["sale_id"]))
    if on:
        return [one["sale_id"] for one in on]
    coming = [one for one in sales if one["phase"] == "scheduled"]
    return [min(coming, key=lambda one: (one["starts_at"], one["sale_id"]))["sale_id"]] if coming else []
