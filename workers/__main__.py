"""`python -m workers`: one worker of shifts. Owns the process's edge: settings, log, exit code."""

from __future__ import annotations

import logging
import signal
import sys

from doorbuster.errors import SettingsError
from doorbuster.log import configure
from doorbuster.settings import load_settings
from workers import jobs as _jobs  # noqa: F401  imported before forking: a work-horse starts in milliseconds
from workers.payments.providers import make_gateway
from workers.runtime.rq_worker import serve


def main() -> int:
    """Work on shifts until SIGTERM or Ctrl-C; return 2 when the settings are wrong."""
    # Until the worker has its own handler, also where it is a container's first process, which SIGTERM else passes by.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = load_settings()
        make_gateway(settings)  # opens nothing; says at the start what is missing, and imports before forking
    except SettingsError as error:
        print(error.detail, file=sys.stderr)
        return 2
    configure(settings.log_level)
    for chatty in ("rq.worker", "rq.job", "rq.queue"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    serve(settings.jobs_redis_url.get_secret_value())
    return 0


if __name__ == "__main__":
    sys.exit(main())
