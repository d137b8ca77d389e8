"""One run of everything on this machine. Owns the order of lock, leftovers, plan and supervisor; prints nothing.

Imported only by `doorbuster up`: what it imports comes with the extra `embedded`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from doorbuster.embedded import leftovers
from doorbuster.embedded.folder import DataFolder
from doorbuster.embedded.plan import Options, make_plan
from doorbuster.embedded.postgres import Postgres
from doorbuster.embedded.standby import standbys
from doorbuster.embedded.supervisor import Supervisor


def run(root: Path, asked: Options, prepare: Callable[[dict[str, str]], None], announce: Callable[[str], None]) -> bool:
    """Run until a stop is asked for; return False when Ctrl-C came before anything served.

    Raises:
        InvalidError, ConflictError, SettingsError: it cannot be started so.
        StoreUnavailableError: something did not come up.
    """
    folder = DataFolder(root)
    folder.open()
    try:
        leftovers.sweep(folder.root)
        postgres = Postgres(folder.postgres, folder.log("postgres"))
        replicas = standbys(postgres, folder, asked.replicas)
        plan = make_plan(folder, asked, postgres.url(), tuple(one.server.url() for one in replicas))
        return Supervisor(plan, postgres, prepare).run(announce)
    finally:
        folder.close()
