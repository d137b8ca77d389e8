"""The ready document: what a running instance tells of itself, where it is kept, and how a command finds it.

Never starts anything. What the environment or a file of SECRETS_DIR names goes before what a document says.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from doorbuster.embedded.data import trust
from doorbuster.embedded.data.folder import DEFAULT, write_private
from doorbuster.errors import InvalidError, NotFoundError
from doorbuster.log import redact
from doorbuster.told import told

_log = logging.getLogger(__name__)
URLS = {
    "database": "DATABASE_URL",
    "orders_redis": "ORDERS_REDIS_URL",
    "room_redis": "ROOM_REDIS_URL",
    "jobs_redis": "JOBS_REDIS_URL",
    "cache_redis": "CACHE_REDIS_URL",
}
"""Store by its name in the ready document -> the variable that replaces it."""
_VALUES = {"ops_base": "OPS_URL", "ops_key": "OPS_KEY"}


@dataclass
class ReadyDocument:
    """The ready line; field names and their order are the contract."""

    base: str
    ops_base: str
    ops_key: str = field(repr=False)
    data: str
    pids: dict[str, list[int] | int | None]
    urls: dict[str, str] = field(repr=False)

    def line(self) -> str:
        """Return the document as one line of JSON."""
        return json.dumps(asdict(self))

    def line_without_secrets(self) -> str:
        """Return the line as it may be logged: it names the file of the ops key and the passwords instead."""
        shown = asdict(self) | {"ops_key": None, "urls": {name: redact(url) for name, url in self.urls.items()}}
        return json.dumps(shown | {"ready_file": str(Path(self.data) / "ready.json")})


def check_writable(path: Path) -> None:
    """Check that the document could be written to a path, without leaving anything there.

    Raises:
        InvalidError: it could not, or something else than a file is there and would be replaced.
    """
    try:
        if path.exists() and not path.is_file():
            raise InvalidError(f"--ready-file: {path} is no plain file")
        trial = path.with_name(f".{path.name}.trial.{os.getpid()}")
        write_private(trial, "")
        trial.unlink()
    except OSError as error:
        raise InvalidError(f"--ready-file: cannot write {path}: {error.strerror}") from error


def publish(ready: ReadyDocument, paths: list[Path]) -> None:
    """Write the document to each path in one step, readable by its owner alone."""
    for path in paths:
        write_private(path, ready.line() + "\n")


def _current() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "doorbuster" / "current"


def remember(data: Path) -> None:
    """Record the folder as the one started last; a home that cannot be written only costs this convenience."""
    try:
        _current().parent.mkdir(parents=True, exist_ok=True)
        _current().parent.chmod(0o700)
        write_private(_current(), str(data))
    except OSError as error:
        _log.warning("cannot record the instance", extra={"path": str(_current()), "error": str(error)})


class Instance:
    """The instance a command works on: the environment and files of secrets first, then a ready document."""

    def __init__(self, document: dict[str, object], looked_in: list[Path]) -> None:
        urls = document.get("urls")
        self._told: dict[str, object] = {**(urls if isinstance(urls, dict) else {})}
        self._known: dict[str, object] = {**self._told}
        self._known |= {name: document.get(name) for name in ("base", "data", "pids", *_VALUES)}
        named = {name: told(key) for name, key in (URLS | _VALUES).items()}
        self._named = {name: value for name, value in named.items() if value}
        self._known |= self._named
        self._looked_in = looked_in

    def url(self, store: str) -> str:
        """Return the URL of a store by its name in the ready document."""
        return self._need(store, URLS[store])

    def has_together(self, *stores: str) -> bool:
        """Say whether these URLs are of one instance: all named as settings are, or all as its document says."""
        if all(store in self._named for store in stores):
            return True
        return all(self._told.get(store) and self._told[store] == self._known[store] for store in stores)

    @property
    def base(self) -> str:
        """Where the storefront's API answers; where only OPS_URL is known, that serves it too."""
        found = self._known.get("base")
        return found if isinstance(found, str) and "ops_base" not in self._named else self.ops_base

    @property
    def data(self) -> Path | None:
        """The data folder, None when only the environment named the instance."""
        found = self._known.get("data")
        return Path(found) if isinstance(found, str) else None

    @property
    def ops_base(self) -> str:
        """Where the ops API answers."""
        return self._need("ops_base", _VALUES["ops_base"])

    @property
    def ops_key(self) -> str:
        """The key of the ops API."""
        return self._need("ops_key", _VALUES["ops_key"])

    @property
    def pids(self) -> dict[str, list[int] | int | None]:
        """Process ids by role, empty when only the environment named the instance."""
        found = self._known["pids"]
        return found if isinstance(found, dict) else {}

    def _need(self, name: str, variable: str) -> str:
        value = self._known.get(name)
        if isinstance(value, str) and value:
            return value
        places = ", ".join(str(path) for path in self._looked_in)
        raise NotFoundError(f"no running instance found in {places}; start one with `doorbuster up` or set {variable}")


def find(data: Path | None = None) -> Instance:
    """Find the instance: `data`, else DOORBUSTER_DATA, else ./.doorbuster, else the one started last.

    Raises:
        InvalidError: others own its ready document or may write it: commands would send the ops key wherever that says.
    """
    named = data or (Path(os.environ["DOORBUSTER_DATA"]) if os.environ.get("DOORBUSTER_DATA") else None)
    folders = [named] if named else [DEFAULT, *_last_started()]
    looked_in = [folder.absolute() / "ready.json" for folder in folders]
    for path in looked_in:
        if path.exists():
            return Instance(trust.read_object(path), looked_in)
    return Instance({}, looked_in)


def _last_started() -> list[Path]:
    try:
        return [Path(trust.read_trusted(_current()).strip())]
    except OSError:
        return []
    except InvalidError as error:
        _log.warning("the instance started last is not looked for", extra={"error": error.detail})
        return []
