"""The worker process: uvicorn under gunicorn. Owns how it dies: with its master, and after its streams have ended."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import socket
from typing import Any

from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from intake.server.connection.probe import protocol_for
from intake.server.descriptors import raise_limit

PR_SET_PDEATHSIG = 1
GC_THRESHOLDS = (50_000, 20, 50)
KERNEL_BUFFER = 256 * 1024
"""Bytes that the kernel keeps of a connection, each way; of its own accord it keeps megabytes for who reads nothing."""


class Worker(UvicornWorker):
    """A uvicorn worker that tells the application before it stops."""

    CONFIG_KWARGS = {  # noqa: RUF012  # the base class reads it so
        "loop": "uvloop",
        "http": "httptools",  # until `_serve` has looked whether ours works
        "ws": "none",
        "server_header": False,
        "date_header": True,
        "access_log": False,
        "proxy_headers": False,
        "lifespan": "on",
        "timeout_graceful_shutdown": 8,
    }

    def init_process(self) -> None:
        """Ask the kernel for a SIGTERM when the master dies, also by SIGKILL."""
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != self.ppid:
            raise SystemExit("the master died before its worker began")
        raise_limit()
        super().init_process()  # type: ignore[no-untyped-call]

    def load_wsgi(self) -> None:
        """Load the application, then keep the collector off what it is made of: full passes stall every request."""
        super().load_wsgi()  # type: ignore[no-untyped-call]
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        self.config.http = await protocol_for(self.wsgi)
        server = _Server(self.config)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGQUIT, server.handle_exit, signal.SIGQUIT, None)
        for listener in self.sockets:  # whose connections have what it has
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
        await server.serve(sockets=self.sockets)
        if not server.started:
            raise SystemExit(3)


class _Server(Server):
    def handle_exit(self, sig: int, frame: Any) -> None:
        self.config.app.begin_stop()  # type: ignore[union-attr]
        super().handle_exit(sig, frame)
