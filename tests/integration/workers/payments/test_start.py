"""A worker that lacks what its payment provider needs says so at its start, in a line, and ends with exit code 2."""

from __future__ import annotations

import subprocess
import sys

from doorbuster.settings import Settings
from tests.fixtures.up import clean_environment


def started(settings: Settings, *options: str, **told: str) -> subprocess.CompletedProcess[str]:
    urls = ("database_url", "orders_redis_url", "room_redis_url", "jobs_redis_url", "cache_redis_url")
    named = (*urls, "order_id_key", "ops_key")
    given = {name.upper(): getattr(settings, name).get_secret_value() for name in named}
    command = [sys.executable, *options] if options else [sys.executable, "-m", "workers"]
    return subprocess.run(
        command, env=clean_environment(**given, **told), capture_output=True, text=True, timeout=60, check=False
    )


def test_without_its_key(settings: Settings) -> None:
    ended = started(settings, PAYMENT_PROVIDER="stripe")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "STRIPE_API_KEY: is missing, and PAYMENT_PROVIDER is stripe\n"


def test_without_its_package(settings: Settings) -> None:
    hidden = "import sys; sys.modules['stripe'] = None; from workers.__main__ import main; sys.exit(main())"
    ended = started(settings, "-c", hidden, PAYMENT_PROVIDER="stripe", STRIPE_API_KEY="sk_test_of_no_account")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "PAYMENT_PROVIDER: stripe needs pip install 'doorbuster[stripe]'\n"


def test_another_provider_needs_none_of_it(settings: Settings) -> None:
    hidden = (
        "import sys; sys.modules['stripe'] = None; from workers import __main__ as entry; "
        "entry.serve = lambda _url: None; sys.exit(entry.main())"
    )
    assert started(settings, "-c", hidden).returncode == 0
