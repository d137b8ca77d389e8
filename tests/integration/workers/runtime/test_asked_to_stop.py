"""A worker that is asked to stop is gone for RQ too, whenever it is asked: also while it begins, or leaves already."""

from __future__ import annotations

import signal

import pytest
from rq.exceptions import StopRequested

from doorbuster import keys
from workers.runtime import job_queue
from workers.runtime.rq_worker import _make

pytestmark = pytest.mark.versions


@pytest.mark.parametrize("moment", ["subscribe", "_install_signal_handlers", "register_death"])
def test_it_is_counted_no_more(jobs_redis_url: str, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    with job_queue.connect(jobs_redis_url) as connection:
        worker = _make(connection)
        monkeypatch.setattr(worker, "_install_signal_handlers", lambda: None)  # the signals of a test run are its own
        then, counted = getattr(worker, moment), []

        def asked() -> None:
            monkeypatch.setattr(worker, moment, then)
            counted.append(connection.scard(keys.RQ_WORKERS))
            worker.request_stop(signal.SIGTERM, None)

        monkeypatch.setattr(worker, moment, asked)
        with pytest.raises(StopRequested):
            worker.work(burst=True, logging_level=None)
        assert (counted, connection.scard(keys.RQ_WORKERS)) == ([1], 0)
