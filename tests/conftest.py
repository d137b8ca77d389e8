"""What every test shares. Nothing here leaves the machine: see `tests.fixtures.network`."""

from tests.fixtures.network import forbid_all_but_loopback

pytest_plugins = [
    "tests.fixtures.stores",  # first: others import it
    "tests.fixtures.intake",
    "tests.fixtures.rooms",
    "tests.fixtures.search",
    "tests.fixtures.replicas",
    "tests.fixtures.shop",
    "tests.fixtures.turns",
    "tests.fixtures.up",
    "tests.fixtures.visitors",
]

forbid_all_but_loopback()
