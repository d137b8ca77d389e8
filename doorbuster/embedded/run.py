"""One run of everything on this machine. Owns the order of lock, leftovers, plan and supervisor; prints nothing.

Imported only by `doorbuster up`: what it imports comes with the extra `embedded`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from doorbuster.embedded import leftovers
from doorbuster.embedded.data.folder import DataFolder
from doorbuster.embedded.plan import Plan, UpOptions, make_plan, with_topology
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.embedded.stores.standby import standbys
from doorbuster.embedded.supervisor import Supervisor
from doorbuster.embedded.topology.pair import pair, pair_url
from doorbuster.embedded.users import system_user, unprivileged


def run(
    root: Path, asked: UpOptions, prepare: Callable[[dict[str, str]], None], announce: Callable[[str], None]
) -> bool:
    """Run until a stop is asked for; return False when Ctrl-C came before anything served.

    Raises:
        InvalidError, ConflictError, SettingsError: it cannot be started so.
        StoreUnavailableError: something did not come up.
    """
    folder = DataFolder(root)
    folder.open()
    try:
        options = with_topology(folder, asked)
        leftovers.sweep(folder.root)
        postgres = Postgres(folder.postgres, folder.log("postgres"))
        url = pair_url(pair(folder)) if options.topology == "cluster" else postgres.url()
        replicas = standbys(postgres, folder, options.replicas)
        plan = make_plan(folder, options, url, tuple(one.server.url() for one in replicas))
        return Supervisor(_with_account(plan), postgres, prepare).run(announce)
    finally:
        folder.close()


def _with_account(plan: Plan) -> Plan:
    """Decide who intake, workers and scheduler are to be, and let them have what they need of the data folder."""
    folder, settings = plan.folder, plan.settings
    if plan.options.stay_root or not unprivileged.is_possible():
        folder.share(None)
        return plan
    folder.share(system_user.fleet_group())
    told = [
        settings.room_pages,
        settings.room_keys_file and settings.room_keys_file.parent,
        os.environ.get("SECRETS_DIR"),
    ]
    account = unprivileged.choose([folder.root, *(Path(path) for path in told if path)], plan.fleet().env)
    if account is None:
        folder.share(None)
    return replace(plan, account=account)
