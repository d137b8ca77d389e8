"""What a run will be: which stores are embedded, which named by URL, every setting checked.

Reads the environment once. Never starts a process.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from doorbuster.embedded.data.addresses import port_names, redis_urls
from doorbuster.embedded.data.folder import DataFolder, Topology
from doorbuster.embedded.data.instance import URLS
from doorbuster.embedded.roles import Fleet, Listeners
from doorbuster.embedded.users.unprivileged import Account
from doorbuster.errors import InvalidError, SettingsError
from doorbuster.ports import reserve
from doorbuster.settings import Settings, load_settings, require_payment_keys

ORDER_STORE_LEAST_MB, ORDER_STORE_MOST_MB = 512, 8192


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """What `doorbuster up` is asked for."""

    host: str = "127.0.0.1"
    port: int = 8000
    intake: int = 1
    workers: int = 4
    replicas: int = 0
    topology: Topology | None = None
    """None: as the data folder has it, a single server each for a new one."""
    ready_file: Path | None = None
    stay_root: bool = False
    """Whether intake, workers and scheduler are root too when this is."""
    hide_secrets: bool = False
    """Whether the ready line goes where secrets must not."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A checked run."""

    options: UpOptions
    folder: DataFolder
    listeners: Listeners
    embedded: frozenset[str]
    """Names of the stores (as in the ready document) that this run brings itself."""
    urls: dict[str, str] = field(repr=False)
    settings: Settings = field(repr=False)
    redis_password: str = field(repr=False)
    redis_ports: dict[str, int]
    account: Account | None = None
    """Who intake, workers and scheduler are to be; None: whoever runs."""
    replica_urls: tuple[str, ...] = field(default=(), repr=False)
    """Of the embedded replicas."""

    @property
    def topology(self) -> Topology:
        """How many servers make a store."""
        return self.options.topology or "single"

    @property
    def order_store_mb(self) -> int:
        """How many MiB the embedded order store may take: as told, else a quarter of the machine's, within bounds."""
        quarter = psutil.virtual_memory().total // 4 // 2**20
        return self.settings.order_store_max_mb or min(max(quarter, ORDER_STORE_LEAST_MB), ORDER_STORE_MOST_MB)

    def fleet(self) -> Fleet:
        """Return Doorbuster's own processes with their environment: everything by settings, as anywhere else."""
        told = {variable: self.urls[name] for name, variable in URLS.items()}
        told["OPS_KEY"] = self.settings.ops_key.get_secret_value()
        told["ORDER_ID_KEY"] = self.settings.order_id_key.get_secret_value()
        if self.replica_urls:
            told["REPLICA_URLS"] = ",".join(self.replica_urls)
        if not (_named("ROOM_KEYS") or _named("ROOM_KEYS_FILE")):
            file = self.folder.room_keys_file if self.folder.room_keys_file.exists() else self.folder.secrets_file
            told["ROOM_KEYS_FILE"] = str(file)
        told["DATA_FOLDER"] = str(self.folder.root)
        if not _named("SCALING"):
            told["SCALING"] = "local"
        if told.get("SCALING", self.settings.scaling) == "local":
            told["SCALING_FOLDER"] = str(self.folder.root / "scaling")
        if self.topology == "cluster" and "orders_redis" in self.embedded and not _named("DURABILITY"):
            told["DURABILITY"] = "replicas:1"  # each node has one, and a takeover loses nothing that it has
        if "orders_redis" in self.embedded:
            told["ORDER_STORE_MAX_MB"] = str(self.order_store_mb)
        return Fleet(
            folder=self.folder,
            listeners=self.listeners,
            intake=self.options.intake,
            workers=self.options.workers,
            env=dict(os.environ) | told,
            account=self.account,
        )


def check_settings() -> None:
    """Check every setting given, before the data folder is touched.

    Raises:
        SettingsError: naming every mistake, one a line.
    """
    _load(dict.fromkeys(URLS, ""), {"ops_key": "k" * 16, "order_id_key": "k" * 16})


def with_topology(folder: DataFolder, options: UpOptions) -> UpOptions:
    """Return the options with the topology that the folder has, or is to have; the folder's lock must be held.

    Raises:
        InvalidError: it has another than is asked for, or is to have replicas beside the standby of a cluster.
    """
    found = folder.topology(options.topology)
    if options.replicas and found == "cluster":
        raise InvalidError("--replicas are for the topology single: with cluster PostgreSQL has a standby of its own")
    folder.keep_topology(found)
    return replace(options, topology=found)


def make_plan(folder: DataFolder, options: UpOptions, database_url: str, replica_urls: tuple[str, ...] = ()) -> Plan:
    """Decide stores, ports and secrets of a run; the folder's lock must be held.

    Raises:
        SettingsError: a setting is wrong.
        InvalidError: a port is in use, or there are to be replicas of a database that is not embedded.
    """
    if replica_urls and (other := [name for name in ("DATABASE_URL", "REPLICA_URLS") if _named(name)]):
        raise InvalidError(f"--replicas are those of the embedded PostgreSQL, and {other[0]} names another")
    secrets, ports = folder.secrets(), folder.ports(port_names(options.topology or "single"))
    password = secrets["redis_password"]
    own = {"database": database_url}
    own |= {f"{role}_redis": url for role, url in redis_urls(options.topology or "single", ports, password).items()}
    settings = _load(own, secrets)
    return Plan(
        options=options,
        folder=folder,
        listeners=_listeners(options, settings),
        embedded=frozenset(name for name in URLS if not _given(name)),
        urls={name: getattr(settings, f"{name}_url").get_secret_value() for name in URLS},
        settings=settings,
        redis_password=password,
        redis_ports=ports,
        replica_urls=replica_urls,
    )


def _load(own_urls: dict[str, str], secrets: dict[str, str]) -> Settings:
    own: dict[str, object] = {
        f"{name}_url": url or ("postgresql://" if name == "database" else "redis://")
        for name, url in own_urls.items()
        if not _given(name)
    }
    own |= {name: secrets[name] for name in ("ops_key", "order_id_key") if not _named(name.upper())}
    settings = load_settings(**own)
    require_payment_keys(settings)
    return settings


def _given(store: str) -> bool:
    return _named(URLS[store])


def _named(variable: str) -> bool:
    """Whether the environment, or the folder of secrets, has a value; an empty variable is none."""
    if os.environ.get(variable):
        return True
    secrets_dir = os.environ.get("SECRETS_DIR")
    return variable not in os.environ and secrets_dir is not None and (Path(secrets_dir) / variable.lower()).exists()


def _listeners(options: UpOptions, settings: Settings) -> Listeners:
    port = _free_port(options.host, options.port)
    if settings.ops_port is None:
        return Listeners(host=options.host, port=port)
    if settings.ops_port == port:
        raise SettingsError(f"OPS_PORT: must differ from the storefront's port {port}")
    host = settings.ops_bind or options.host
    return Listeners(host=options.host, port=port, ops_host=host, ops_port=_free_port(host, settings.ops_port))


def _free_port(host: str, port: int) -> int:
    """Return the port, or one the system picks for 0."""
    try:
        return reserve(host, port)
    except OSError as error:
        raise InvalidError(f"cannot listen on {host} port {port}: {error.strerror}") from error
