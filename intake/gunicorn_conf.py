"""gunicorn's configuration: `gunicorn -c python:intake.gunicorn_conf`. Owns processes, never what they answer.

INTAKE_BIND (default 127.0.0.1:8000; several by comma), INTAKE_PROCESSES (1), INTAKE_ROLE (all | public | ops).
"""

from __future__ import annotations

import os
import sys
import tempfile

from doorbuster.errors import SettingsError
from doorbuster.rooms import check_rooms
from doorbuster.settings import load_settings

bind = os.environ.get("INTAKE_BIND", "127.0.0.1:8000").split(",")
workers = int(os.environ.get("INTAKE_PROCESSES", "1"))
worker_class = "intake.server.worker.Worker"
wsgi_app = "intake.app:from_environment()"
backlog = 2048
timeout = 30
graceful_timeout = 10
accesslog = None
loglevel = os.environ.get("LOG_LEVEL", "info").lower()
control_socket_disable = True
proc_name = "doorbuster-intake"

if workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    # Before anything imports prometheus_client: it looks once, at import.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="doorbuster-metrics-")


def on_starting(_server: object) -> None:
    """End before any worker starts if a setting is wrong: workers would only die one after another."""
    try:
        check_rooms()
        load_settings()
    except SettingsError as error:
        sys.stderr.write(f"Doorbuster cannot start so:\n{error.detail}\n")
        raise SystemExit(2) from error


def child_exit(_server: object, worker: object) -> None:
    """Let a dead worker's gauges go."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[attr-defined,no-untyped-call]
