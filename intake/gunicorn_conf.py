"""gunicorn's configuration: `gunicorn -c python:intake.gunicorn_conf`. Owns processes, never what they answer.

Reads the settings before anything starts: with a wrong one, workers would only die one after another.
"""

from __future__ import annotations

import os
import sys
import tempfile

from doorbuster.errors import SettingsError
from doorbuster.rooms import check_rooms
from doorbuster.settings import Settings, load_settings


def _checked_settings() -> Settings:
    """Return the settings, or end the process with a line for each mistake."""
    try:
        check_rooms()
        return load_settings()
    except SettingsError as error:
        sys.stderr.write(f"Doorbuster cannot start so:\n{error.detail}\n")
        raise SystemExit(2) from error


_settings = _checked_settings()
bind = list(_settings.intake_bind)
workers = _settings.intake_processes
worker_class = "intake.server.worker.Worker"
wsgi_app = "intake.app:from_environment()"
backlog = 2048
timeout = 30
graceful_timeout = 10
accesslog = None
loglevel = _settings.log_level
control_socket_disable = True
proc_name = "doorbuster-intake"

if workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    # Before anything imports prometheus_client: it looks once, at import.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="doorbuster-metrics-")


def child_exit(_server: object, worker: object) -> None:
    """Let a dead worker's gauges go."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[attr-defined,no-untyped-call]
