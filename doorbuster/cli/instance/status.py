"""`doorbuster status`: a line a process, store and sale, with age and reason; exits 1 when anything is amiss."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from doorbuster.cli import options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.cli.answer import plain, print_json, table
from doorbuster.cli.instance import process_ages
from doorbuster.cli.instance.trouble import NAMES, look_at, readiness
from doorbuster.cli.ops import call
from doorbuster.cli.sale.words import window
from doorbuster.cli.times import span
from doorbuster.embedded.data.instance import Instance, find
from doorbuster.errors import NotFoundError, StoreUnavailableError
from doorbuster.log import redact

ANSWER_S, LOOK_S = 3.4, 1.2
"""How long the intake may take, and each store when the intake does not answer: less than five seconds in all."""


@click.command()
@options.data
@json_option
def status(data: Path | None, *, as_json: bool) -> int:
    """Show processes, stores and sales, with the backlog; exits 1 when anything is amiss."""
    instance = find(data)
    found = look(instance)
    if as_json:
        print_json(found)
    else:
        click.echo(redact(_shown(found, instance)))
    return 0 if found["ok"] else 1


def look(instance: Instance) -> dict[str, Any]:
    """Return how everything is, as far as the intake, and where it does not answer the stores themselves, say."""
    own = process_ages.of_pids(instance.pids)
    troubles = [f"{one['role']}: {one['reason']}" for one in own if not one["ok"]]
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(readiness, instance.ops_base)
        told, failed = _told(instance)
        ready, detail, _ = asked.result()
    if told is None:
        stores = _asked_directly(instance)
        troubles += [one["reason"] for one in stores if not one["ok"]] or [failed]
        told = {"stores": stores, "processes": [], "sales": [], "work": {}, "troubles": [], "durability": None}
    own = process_ages.merged(own, told["processes"])
    troubles += told["troubles"]
    if not ready and not troubles:
        troubles.append(detail)
    return {
        "ok": ready and not troubles,
        "ops_base": instance.ops_base,
        "ready": ready,
        "detail": "" if ready else detail,
        "pids": instance.pids,
        "troubles": troubles,
        "processes": own,
        **{name: told[name] for name in ("stores", "sales", "work")},
        "durability": told.get("durability"),
    }


def _told(instance: Instance) -> tuple[dict[str, Any] | None, str]:
    try:
        return call(instance, "GET", "/ops/status", within_s=ANSWER_S), ""
    except StoreUnavailableError as error:
        return None, error.detail


def _asked_directly(instance: Instance) -> list[dict[str, Any]]:
    """Ask the stores whose URLs are known here, for the intake does not answer."""
    urls = {}
    for store in NAMES:
        try:
            urls[store] = instance.url(store)
        except NotFoundError:
            continue
    found = asyncio.run(look_at(urls, within_s=LOOK_S))
    return [
        {"name": store, "ok": False, "reason": f"{NAMES[store]} does not answer: {said}"}
        if isinstance(said, str)
        else {"name": store, "ok": True, "age_s": round(said)}
        for store, said in found.items()
    ]


def _shown(found: dict[str, Any], instance: Instance) -> str:
    kept = f", data in {instance.data}" if instance.data else ""
    lines = [f"{'ready' if found['ready'] else 'NOT READY'}: {found['ops_base']}{kept}", ""]
    stores = {_short(one["name"]) for one in found["stores"]}
    shown = [one for one in found["processes"] if one["role"] not in stores or not one["ok"]]
    rows = [("process", _named(one), *_state(one)) for one in shown]
    rows += [("store", _short(one["name"]), *_state(one)) for one in found["stores"]]
    lines.append(table(("", "name", "state", "age", "about"), rows))
    if found["sales"]:
        sales = [(one["sale_id"], one["backlog"], _window(one)) for one in found["sales"]]
        lines += ["", table(("sale", "backlog", "state"), sales)]
    elif found["ready"]:
        lines += ["", "no sale is on or to come"]
    lines += _lateness(found["work"]) + _kept(found["durability"])
    lines += [""] + [f"trouble: {plain(text)}" for text in found["troubles"]] if found["troubles"] else []
    return "\n".join(lines)


def _lateness(work: dict[str, Any]) -> list[str]:
    """Return how long the oldest of each kind of work has waited, in a line."""
    ages = [
        f"{name.removeprefix('oldest_').removesuffix('_s').replace('_', ' ')} {span(age)}"
        for name, age in work.items()
        if name.startswith("oldest_")
    ]
    return ["", f"oldest waiting: {', '.join(ages)}"] if ages else []


def _kept(durability: dict[str, Any] | None) -> list[str]:
    """Return how the order store keeps what it accepts, and which switch to another server is safe, in lines."""
    if durability is None:
        return []
    notes = [f"note: {plain(note)}" for note in durability["notes"]]
    switches = [f"order store, {plain(switch)}" for switch in durability["switches"]]
    return ["", f"durability: {durability['level']}", *notes, *switches]


def _short(store: str) -> str:
    return "postgres" if store == "database" else store.removesuffix("_store").removesuffix("_redis")


def _named(one: dict[str, Any]) -> str:
    return f"{one['role']} {one['name']}".strip()


def _state(one: dict[str, Any]) -> tuple[str, str, str]:
    age = span(one["age_s"]) if one.get("age_s") is not None else "-"
    about = [
        one.get("reason", ""),
        one.get("state", ""),
        f"answers in {one['took_ms']:g} ms" if one.get("took_ms") is not None else "",
        f"heard of {span(one['silent_s'])} ago" if one.get("silent_s") is not None and one["ok"] else "",
    ]
    return "up" if one["ok"] else "DOWN", age, ", ".join(filter(None, about))


def _window(one: dict[str, Any]) -> str:
    return window({"effective_phase": one["phase"], "starts_at": one["starts_at"], "ends_at": one["ends_at"]})
