"""gunicorn's configuration for the floor and the baseline: the same worker settings as the intake's own."""

from __future__ import annotations

from uvicorn_worker import UvicornWorker


class Worker(UvicornWorker):
    """uvicorn as the intake runs it: uvloop, httptools, no headers of its own."""

    CONFIG_KWARGS = {  # noqa: RUF012 - the base class reads it so
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "server_header": False,
        "date_header": False,
        "access_log": False,
        "proxy_headers": False,
        "lifespan": "on",
        "timeout_graceful_shutdown": 3,
    }


workers = 1
worker_class = "loadtests.rivals.gunicorn_conf.Worker"
backlog = 2048
keepalive = 75
graceful_timeout = 5
accesslog = None
control_socket_disable = True
