"""Commands are loaded when they are asked for, and what is shown of them before is what they say themselves."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from doorbuster.cli.app import cli
from doorbuster.cli.places import COMMANDS

_LOADED = "import sys; from doorbuster.cli.app import run; run(['--help']); print(*sys.modules, file=sys.stderr)"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_of_itself_what_the_table_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(200) == COMMANDS[name].sentence


def test_help_loads_no_command_and_no_client_of_a_store() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not {place.module for place in COMMANDS.values()} & loaded
    assert not {"httpx", "asyncpg", "redis", "asyncio", "db", "workers", "intake"} & loaded
    assert all(name in done.stdout for name in COMMANDS)


def test_what_is_no_command_is_none() -> None:
    assert cli.get_command(click.Context(cli), "order") is None
