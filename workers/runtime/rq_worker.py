"""The RQ worker of shifts. Owns signals around the work-horse and going on when the jobs store comes back.

RQ's own worker quits when its store does not answer and lets a work-horse run on at a warm shutdown. This one asks the
work-horse to end its shift, and begins anew for as long as nobody asked it to stop. Never works on orders itself.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError
from rq import Worker, worker_registration
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat

from doorbuster.failures import REDIS_FAILED
from workers.runtime import job_queue

if TYPE_CHECKING:
    from types import FrameType

    from redis import Redis
    from redis.client import Pipeline
    from rq.executions import Execution
    from rq.job import Job
    from rq.queue import Queue

WORKER_TTL_S = 20
"""RQ blocks on its queue for 15 s less and waits 5 s less for an answer."""
MONITOR_S = 5
BACKOFF_S = (0.1, 2.0)
ASKED = {signal.SIGTERM, signal.SIGINT}

log = logging.getLogger("doorbuster.workers.worker")


class ShiftWorker(Worker):
    """Forks a work-horse for each shift and asks it to end when it is asked itself."""

    max_connection_wait_time = 1.0

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Fork with the signals blocked: the work-horse must not run this process's handlers, nor lose a signal."""
        signal.pthread_sigmask(signal.SIG_BLOCK, ASKED)
        try:
            super().fork_work_horse(job, queue)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKED)

    def setup_work_horse_signals(self) -> None:
        """Leave SIGTERM blocked in the work-horse until its shift listens; Ctrl-C is this process's to pass on."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002  a signal handler's shape
        """Stop after the present shift, which is asked to end; at once when idle.

        Raises:
            StopRequested: there is no shift to wait for.
        """
        log.info("asked to stop", extra={"worker": self.name, "signal": signum, "horse": self.horse_pid})
        self._stop_requested = True
        if not self.horse_pid:
            raise StopRequested
        try:
            os.kill(self.horse_pid, signal.SIGTERM)
        except ProcessLookupError:
            return

    def work(self, *given: Any, **named: Any) -> bool:
        """Work until asked to stop; whenever that is, RQ does not count a worker that is gone.

        Raises:
            StopRequested: asked for before RQ heeds it, when the worker is known already, or again while it leaves.
        """
        try:
            return super().work(*given, **named)
        except StopRequested:
            self.teardown()  # type: ignore[no-untyped-call]  # RQ's own
            raise

    def subscribe(self) -> None:
        """Listen to no commands over the store: signals are enough, and a thread would be forked with each shift."""

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Say to RQ that this worker lives; a store that does not answer must not end a running shift."""
        try:
            super().heartbeat(timeout, pipeline)
            if pipeline is None:
                self._be_known()
        except RedisError as error:
            log.warning("no heartbeat", extra={"worker": self.name, "error": error})

    def _be_known(self) -> None:
        """Be among RQ's workers: a store that lost its data, or a pause longer than it remembers, forgets one."""
        with self.connection.pipeline(transaction=True) as pipe:
            pipe.hsetnx(self.key, "birth", utcformat(self.birth_date or now()))
            worker_registration.register(self, pipe)
            pipe.execute()

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Say to RQ that the shift lives; as above."""
        try:
            super().maintain_heartbeats(job, execution)
        except RedisError as error:
            log.warning("no heartbeat", extra={"worker": self.name, "error": error})

    def wait_for_end(self) -> None:
        """Wait for a shift that outlived its bookkeeping."""
        if self.horse_pid:
            self.wait_for_horse()

    @property
    def asked_to_stop(self) -> bool:
        """Whether it was asked to stop."""
        return bool(self._stop_requested)


def serve(url: str) -> None:
    """Work on shifts until asked to stop, beginning anew whenever the jobs store went away."""
    first, most = BACKOFF_S
    pause = first
    try:
        while True:
            began = time.monotonic()
            if _work(url):
                return
            pause = first if time.monotonic() - began > most else min(pause * 2, most)
            time.sleep(pause)
    except StopRequested:
        return


def _work(url: str) -> bool:
    with job_queue.connect(url, timeout_s=WORKER_TTL_S) as connection:
        try:
            worker = _make(connection)
        except REDIS_FAILED as error:
            log.warning("the jobs store does not answer", extra={"error": error})
            return False
        signal.signal(signal.SIGTERM, worker.request_stop)
        signal.signal(signal.SIGINT, worker.request_stop)
        try:
            worker.work(logging_level=None)
        except REDIS_FAILED as error:
            log.warning("the jobs store went away", extra={"worker": worker.name, "error": error})
        finally:
            worker.wait_for_end()
        return worker.asked_to_stop


def _make(connection: Redis) -> ShiftWorker:
    worker = ShiftWorker(
        [job_queue.QUEUE],
        name=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        job_monitoring_interval=MONITOR_S,
        log_job_description=False,
    )
    worker.log_result_lifespan = False
    return worker
