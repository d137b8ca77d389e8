"""The calls of a rehearsal to the ops API: makes the shadow, keeps its lease, measures, watches sales, ends it.

Owns the client and the task that keeps the lease; decides nothing but that a rehearsal is to stop, and why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import perf_counter
from typing import Any

import httpx
import msgspec

from doorbuster.contract.night.rehearsal import RehearsalChange, RehearsalRequest, RehearsalResult, RehearsalView
from doorbuster.errors import ConflictError, DoorbusterError, InvalidError, NotFoundError, StoreUnavailableError
from loadtests.rehearse.live_promise import GaveWayError, LivePromise

LOOK_S = 0.5
BESIDE_LOOK_S = 1.0
"""While a sale is on: each look costs its intake some milliseconds."""
LAG_S = 0.5
WATCH_S = 1.0
_TIMEOUT_S = 30.0
_MISSES_MAX = 20
"""Looks in a row that may fail: a stack at its limit answers late, and that is what is sought."""
_read = msgspec.json.Decoder(RehearsalView).decode
_BY_STATUS: dict[int, type[DoorbusterError]] = {404: NotFoundError, 409: ConflictError, 503: StoreUnavailableError}


class StoppedError(RuntimeError):
    """The rehearsal is to stop, and why."""


def client_of(ops_base: str, ops_key: str, operator: str) -> httpx.AsyncClient:
    """Return a client of the ops API."""
    headers = {"Authorization": f"Bearer {ops_key}", "X-Operator": operator}
    return httpx.AsyncClient(base_url=ops_base, headers=headers, timeout=_TIMEOUT_S, trust_env=False)


class Shadow:
    """The shadow of a sale, as whoever drives the load sees it."""

    def __init__(self, client: httpx.AsyncClient, sale: str) -> None:
        """Take a client that `client_of` made, which is closed at the end."""
        self._client = client
        self._path = f"/ops/sales/{sale}/rehearsals"
        self._one = ""
        self._beside_live = False
        self._keeping: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.view: RehearsalView | None = None
        self.looks: list[tuple[float, float, int]] = []
        """(time by `perf_counter`, lag in seconds, backlog), one a look."""
        self.stopped = ""
        """Why it is to stop."""
        self.promise = LivePromise()
        self.loading = False
        """Whether something is being offered."""
        self._quiet_from = -inf

    async def begin(self, *, units: int, beside_live: bool) -> RehearsalView:
        """Make the shadow, and keep it from now on.

        Raises:
            ConflictError, InvalidError, NotFoundError: it is refused, with the API's words.
            StoreUnavailableError: nobody answers.
        """
        self._beside_live = beside_live
        view = await self._call("POST", self._path, RehearsalRequest(units=units, beside_live=beside_live))
        self._one = f"{self._path}/{view.rehearsal_id}"
        self._take(view)
        self._keeping = asyncio.create_task(self._keep())
        return view

    async def leave(self, result: RehearsalResult) -> None:
        """Leave the result."""
        await self._call("PATCH", self._one, RehearsalChange(result=result))

    async def end(self) -> str:
        """Have the shadow removed; return how far that is."""
        if self._keeping is not None:
            self._keeping.cancel()
        try:
            if not self._one:
                return "removed"
            for _ in range(8):
                view = await self._call("DELETE", self._one)
                if view.state == "removed":
                    break
            return view.state
        finally:
            await self._client.aclose()

    async def look(self) -> None:
        """Wait for the next look."""
        self._changed.clear()
        await self._changed.wait()

    def check(self) -> None:
        """Say that it is to go on.

        Raises:
            StoppedError: the rehearsal is to stop.
            GaveWayError: a sale that is on suffers from it.
        """
        if self.stopped:
            raise StoppedError(self.stopped)
        if self.promise.broken:
            raise GaveWayError(f"the sale {self._beside!r} is on: {self.promise.broken}")

    async def seen_anew(self) -> None:
        """Wait until a look has seen all that was offered.

        Raises:
            StoppedError: the rehearsal is to stop.
            GaveWayError: a sale that is on suffers from it.
        """
        for _ in range(2):
            await self.look()
            self.check()

    async def calm(self, within_s: float) -> None:
        """Wait until nothing of the shadow waits any more, and it is known how long a live sale's orders take.

        Raises:
            StoppedError: it does not come to an end, or the rehearsal is to stop.
        """
        ends = perf_counter() + within_s
        while True:
            await self.look()
            if self.stopped:
                raise StoppedError(self.stopped)
            _, lag_s, backlog = self.looks[-1]
            if not backlog and lag_s < LAG_S and not self.promise.wants_quiet:
                return
            if perf_counter() > ends:
                raise StoppedError(
                    f"{backlog} orders were not worked off within {within_s:g} s: the workers do not keep up"
                )

    async def _keep(self) -> None:
        """Renew the lease and look, again and again; see what sales say that are on."""
        misses, watched = 0, 0.0
        while not self.stopped:
            try:
                self._take(await self._call("PATCH", self._one, RehearsalChange()))
                misses = 0
                if perf_counter() - watched >= WATCH_S:
                    watched = perf_counter()
                    self.stopped = await self._alert()
            except (ConflictError, NotFoundError, InvalidError) as error:
                self.stopped = f"the rehearsal was ended: {error.detail}"
            except StoreUnavailableError as error:
                misses += 1
                self.stopped = f"the ops API does not answer: {error.detail}" if misses > _MISSES_MAX else ""
            await asyncio.sleep(0 if self.stopped else max(LOOK_S, BESIDE_LOOK_S) if self._beside else LOOK_S)
        self._changed.set()

    @contextmanager
    def offering(self) -> Iterator[None]:
        """Let it be known that something is offered."""
        self.loading = True
        try:
            yield
        finally:
            self.loading, self._quiet_from = False, perf_counter()

    @property
    def _beside(self) -> str:
        return self.view.beside[0] if self.view and self.view.beside else ""

    def _take(self, view: RehearsalView) -> None:
        self.view = view
        self.promise.take(view.live, quiet_s=0.0 if self.loading else perf_counter() - self._quiet_from)
        if view.shadow is not None:
            self.looks.append((perf_counter(), view.shadow.lag_s, view.shadow.backlog))
        self._changed.set()

    async def _alert(self) -> str:
        """Return what a sale that is on says of itself that is amiss, or that it is on at all; empty: nothing."""
        beside = self.view.beside if self.view else []
        if beside and not self._beside_live:
            return f"the sale {beside[0]!r} opens soon"
        for sale in beside:
            answer = await self._request("GET", f"/ops/sales/{sale}/live", None)
            if answer.status_code != httpx.codes.OK:
                continue
            said: dict[str, Any] = answer.json()
            alerts = [one.get("summary") or one.get("name", "") for one in said.get("alerts", [])]
            if signs := [*alerts, *said.get("troubles", [])]:
                return f"the sale {sale!r} is on and in trouble: {signs[0]}"
        return ""

    async def _call(self, method: str, path: str, body: object = None) -> RehearsalView:
        answer = await self._request(method, path, body)
        if answer.is_success:
            return _read(answer.content)
        try:
            problem = answer.json()
            detail = "; ".join(f"{one['field']}: {one['problem']}" for one in problem.get("errors") or [])
            detail = detail or problem.get("detail") or problem["title"]
        except (ValueError, KeyError, TypeError):
            detail = f"{answer.request.url} answered {answer.status_code}"
        kind = _BY_STATUS.get(503 if answer.is_server_error else answer.status_code, InvalidError)
        raise kind(detail)

    async def _request(self, method: str, path: str, body: object) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        try:
            return await self._client.request(
                method, path, content=content, headers={"Content-Type": "application/json"} if content else None
            )
        except httpx.HTTPError as error:
            raise StoreUnavailableError(f"{str(error) or type(error).__name__}") from error
