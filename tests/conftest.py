"""What every test shares. Nothing here leaves the machine: see `tests.fixtures.network`."""

from tests.fixtures.known_types import ask_for_types_once, miss_sniffio_once, read_version_once
from tests.fixtures.memory import keep_files_in_memory
from tests.fixtures.network import forbid_all_but_loopback, read_authorities_once

pytest_plugins = [
    "tests.fixtures.compiled",  # first: what the others import is compiled
    "tests.fixtures.bounds",
    "tests.fixtures.frozen",
    "tests.fixtures.sharing_out",
    "tests.fixtures.told",
    "tests.fixtures.drawn",
    "tests.fixtures.turns",  # first, then the stores: others import them
    "tests.fixtures.stores",
    "tests.fixtures.valkey_cluster",
    "tests.fixtures.valkey_sentinel",
    "tests.fixtures.cut_off",  # after those, which it imports
    "tests.fixtures.staff",
    "tests.fixtures.before",
    "tests.fixtures.intake",
    "tests.fixtures.load_runs",
    "tests.fixtures.rooms",
    "tests.fixtures.search",
    "tests.fixtures.replicas",
    "tests.fixtures.shop",
    "tests.fixtures.stripe_server",
    "tests.fixtures.fulfilment",
    "tests.fixtures.receivers",  # after the shop, which it imports
    "tests.fixtures.up",
    "tests.fixtures.commands",
    "tests.fixtures.visitors",
    "tests.fixtures.rehearsing",  # last: it imports those of shop and visitors
]

forbid_all_but_loopback()
read_authorities_once()
keep_files_in_memory()
ask_for_types_once()
read_version_once()
miss_sniffio_once()
