"""Every Redis key Doorbuster uses is built here and nowhere else. Owns names; never talks to a server.

| builder       | type   | store  | lifetime             | written by           | read by            |
|---------------|--------|--------|----------------------|----------------------|--------------------|
| `stream`      | stream | orders | trimmed by the drain | accept script, retry | drain, scheduler, order read |
| `gate`        | hash   | orders | as long as the sale  | gate script, accept, drain, retry | accept, scheduler |
| `accepted`    | string | orders | IDEMPOTENCY_TTL_S    | accept script        | accept, order read |
| `spent`       | string | orders | twice admission's life + 1 h | accept, end, return scripts | the same, intake |
| `traces`      | hash   | orders | a day                | drain                | settle             |
| `sold_out`    | set    | orders | as long as the sale  | drain, scheduler, ops | intake, scheduler |
| `OUTCOMES`    | channel| orders | none                 | drain, settle, sweep, moves by hand | intake |
| `SALES`       | channel| orders | none                 | intake (ops)         | intake             |
| `HEARD`       | channel| orders | none                 | intake               | intake (ops)       |
| `EVENTS`      | stream | orders | capped               | relay                | subscribers        |
| `shadow_events` | stream | orders | as long as the shadow | relay     | nobody             |
| `SCHEDULER_FAILURES` | hash | orders | none            | scheduler            | intake (metrics)   |
| `TIMELINES`   | hash   | orders | none                 | whoever connects to Postgres | the same |
| `starting`    | string | jobs   | seconds              | scheduler, shifts    | scheduler, shifts  |
| `SCHEDULERS`  | hash   | jobs   | 1 h                  | scheduler            | intake (status)    |
| `INTAKES`     | hash   | jobs   | 1 h                  | intake               | scheduler, intake (pre-warm) |
| `AUDITED`     | hash   | jobs   | none                 | intake, scheduler, audit command | intake, scheduler |
| `SHIFT_COSTS` | hash   | jobs   | none                 | shifts               | intake (metrics)   |
| `RQ_SHIFTS`   | list   | jobs   | none                 | RQ                   | intake (metrics)   |
| `RQ_WORKERS`  | set    | jobs   | none                 | RQ                   | intake (status)    |
| `room`        | hash   | room   | as long as the sale  | room scripts         | room scripts       |
| `room_done`   | bitmap | room   | as long as the sale  | room scripts         | room scripts       |
| `room_releases` | list | room   | as long as the sale  | room scripts         | room scripts       |
| `room_active` | hash   | room   | as long as the sale  | room scripts         | room scripts       |
| `room_ends`   | list   | room   | as long as the sale  | room scripts         | room scripts       |
| `room_codes`  | hash   | room   | as long as the sale  | bypass script        | bypass script      |
| `room_places` | hash   | room   | as long as the sale  | join, bypass, claim, leave, release, reinstate | the same |
| `sale_minute` | hash   | room   | a day, or 30         | intake               | scheduler, intake  |
| `sale_minutes`| sorted set | room | 30 days            | intake               | scheduler          |
| `sale_live`   | list   | room   | 1 h                  | intake               | intake             |
| `sale_live_turn` | string | room | seconds              | intake               | intake             |
| `room_visits` | list   | room   | 30 days behind the report | join, bypass, claim, release | report |
| `room_visits_before` | stream | room | 30 days behind the report | the version before | report |
| `catalogue`   | hash   | cache  | CATALOGUE_KEEP_S     | catalogue scripts    | catalogue          |
| `CHANGES`     | channel| cache  | none                 | ops, catalogue relay | catalogue          |
| `UNITS`       | hash   | cache  | none, evictable      | who moves units      | catalogue          |

The audit reads those of the order store, too; docs/keyspace.md says what is in each.

All keys of one partition of a sale carry the same hash tag `{sale-number.partition}`, hence live in one slot; all keys
of a sale's room carry `{room.sale-number}`, those of what is kept beside it `{sale-number}`.
"""

from __future__ import annotations

from doorbuster.values import shadows

PREFIX = "doorbuster"


def slot(sale_number: int, partition: int) -> str:
    """Return the hash tag of a partition, braces included."""
    return f"{{{sale_number}.{partition}}}"


def stream(sale_number: int, partition: int) -> str:
    """Stream of accepted orders, one entry an order."""
    return f"{PREFIX}:{slot(sale_number, partition)}:orders"


def gate(sale_number: int, partition: int) -> str:
    """Hash: whether the partition takes orders now; see `orderstore/gate.py`."""
    return f"{PREFIX}:{slot(sale_number, partition)}:gate"


def accepted_prefix(sale_number: int, partition: int) -> str:
    """What `accepted` keys of a partition begin with; the order id's 32 hexadecimal digits follow."""
    return f"{PREFIX}:{slot(sale_number, partition)}:accepted:"


def traces(sale_number: int, partition: int) -> str:
    """Hash: of accepted orders with a trace, the span that each follows from."""
    return f"{PREFIX}:{slot(sale_number, partition)}:traces"


def accepted(sale_number: int, partition: int, order_id_hex: str) -> str:
    """String: fingerprint and entry id of an accepted order, for replay and conflict."""
    return accepted_prefix(sale_number, partition) + order_id_hex


def spent_prefix(sale_number: int, partition: int) -> str:
    """What `spent` keys of a partition begin with; the admission's spend id follows."""
    return f"{PREFIX}:{slot(sale_number, partition)}:spent:"


def spent(sale_number: int, partition: int, spend_id: str) -> str:
    """String: how many orders were placed with an admission."""
    return spent_prefix(sale_number, partition) + spend_id


def sold_out(sale_number: int, partition: int) -> str:
    """Set of product ids the drain found without stock in this partition."""
    return f"{PREFIX}:{slot(sale_number, partition)}:sold_out"


OUTCOMES = f"{PREFIX}:outcomes"
"""Channel: one message a batch, the 16-byte ids of the orders whose state changed, concatenated."""

SALES = f"{PREFIX}:sales"
"""Channel: what has just changed, a sale or a shelf; see `intake/changes/announcements.py`."""

HEARD = f"{PREFIX}:sales:heard"
"""Channel: the id of an announcement that a process acts by now."""

EVENTS = f"{PREFIX}:events"
"""Stream of order events for other systems."""

TIMELINES = f"{PREFIX}:postgres:timelines"
"""Hash: of each Postgres cluster the highest timeline that anybody saw."""


def shadow_events(shadow_number: int) -> str:
    """Stream of the events of a rehearsal's shadow, which nobody reads."""
    return f"{PREFIX}:{{{shadow_number}}}:events"


SCHEDULER_FAILURES = f"{PREFIX}:scheduler:failures"
"""Hash: how often the scheduler met something broken, by part."""


def starting(shift: str) -> str:
    """String: a job for this shift was enqueued a moment ago."""
    return f"{PREFIX}:starting:{shift}"


INTAKES = f"{PREFIX}:intakes"
"""Hash: each intake process's last sign of life, see `readiness/signs.py`."""

SCHEDULERS = f"{PREFIX}:schedulers"
"""Hash: of each scheduler, when it began and when it last looked, in Unix seconds."""

AUDITED = f"{PREFIX}:audited"
"""Hash: what the last audit found, see `readiness/audited.py`."""

SHIFT_COSTS = f"{PREFIX}:shift_costs"
"""Hash: what each kind of shift did and took, see `readiness/shift_costs.py`."""

RQ_SHIFTS = "rq:queue:shifts"
"""List of the jobs that wait for a worker; RQ's own, named here because the metrics read it."""

RQ_WORKERS = "rq:workers"
"""Set of the keys of RQ's workers; RQ's own, named here because the status reads it."""

PLACE_BUCKETS = 16_384
"""Hashes that a room's places are spread over: small ones, which the server keeps packed."""


def room(sale_number: int) -> str:
    """Hash: a room's configuration and running state; see docs/keyspace.md."""
    return _of_room(sale_number, "state")


def room_done(sale_number: int) -> str:
    """Bitmap by place: claimed or left."""
    return _of_room(sale_number, "done")


def room_releases(sale_number: int) -> str:
    """List of `ms:place`: up to which place the frontier went when, for those not yet past their grace."""
    return _of_room(sale_number, "releases")


def room_active(sale_number: int) -> str:
    """Hash: admissions still out, by the second they end."""
    return _of_room(sale_number, "active")


def room_ends(sale_number: int) -> str:
    """List of the seconds that `room_active` has a field for, in order."""
    return _of_room(sale_number, "ends")


def room_codes(sale_number: int) -> str:
    """Hash: admissions given by access code."""
    return _of_room(sale_number, "codes")


def room_visits(sale_number: int) -> str:
    """List of joinings, admissions and orders, all of them or an even sample; see waitingroom/records/visits.py."""
    return _of_room(sale_number, "visited")


def room_visits_before(sale_number: int) -> str:
    """Stream of the same as the version before noted them."""
    return _of_room(sale_number, "visits")


def room_places(sale_number: int, digest: bytes) -> str:
    """Hash: the places of the visitors whose digest falls into the same bucket."""
    return f"{PREFIX}:{{room.{sale_number}}}:{int.from_bytes(digest[:4], 'big') % PLACE_BUCKETS:x}"


def _of_room(sale_number: int, what: str) -> str:
    return f"{PREFIX}:{{room.{sale_number}}}:{what}"


def sale_minute_prefix(sale_number: int) -> str:
    """What `sale_minute` keys of a sale begin with; the minute follows, Unix seconds / 60."""
    return f"{PREFIX}:{{{sale_number}}}:minute:"


def sale_minute(sale_number: int, minute: int) -> str:
    """Hash: what was counted of a sale in a minute; see `waitingroom/records/minutes.py`."""
    return f"{sale_minute_prefix(sale_number)}{minute}"


def sale_minutes(sale_number: int) -> str:
    """Sorted set: the minutes of a sale that are to be copied into Postgres."""
    return f"{PREFIX}:{{{sale_number}}}:minutes"


def sale_live(sale_number: int) -> str:
    """List: the last quarter of an hour of a sale, a sample a second; see `waitingroom/records/history.py`."""
    return f"{PREFIX}:{{{sale_number}}}:live"


def sale_live_turn(sale_number: int) -> str:
    """String: somebody writes this second's sample of a sale."""
    return f"{PREFIX}:{{{sale_number}}}:live:turn"


def traces_of(sale_number: int) -> list[str]:
    """Patterns of all keys that a sale of this number may have in any store, RQ's jobs included."""
    return [
        f"{PREFIX}:{{{sale_number}.*",
        f"{PREFIX}:{{{sale_number}}}*",
        f"{PREFIX}:{{room.{sale_number}}}*",
        f"{PREFIX}:starting:*:{sale_number}:*",
        f"rq:job:*-{sale_number}-*",
        f"{PREFIX}:catalogue:*{shadows.PRODUCT_PREFIX}{sale_number}~*",
    ]


def catalogue(subject: str) -> str:
    """Hash: what is cached of a subject (a product, a category's pages) and the floor below which nothing counts."""
    return f"{PREFIX}:catalogue:{subject}"


CHANGES = f"{PREFIX}:catalogue:changes"
"""Channel: subjects that have just changed, with their floors, in MessagePack."""

UNITS = f"{PREFIX}:units"
"""Hash: units in stock of a product, as whoever moved them saw them last. Approximate."""
