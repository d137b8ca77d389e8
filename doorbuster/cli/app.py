"""The `doorbuster` command: gathers the commands and turns every error into lines on stderr and an exit code."""

from __future__ import annotations

import sys
from importlib.metadata import version

import click

from doorbuster.cli.audit import audit
from doorbuster.cli.bench import bench
from doorbuster.cli.import_catalogue import import_catalogue
from doorbuster.cli.keys import keys
from doorbuster.cli.migrate import migrate
from doorbuster.cli.reindex import reindex
from doorbuster.cli.sale import sale
from doorbuster.cli.status import status
from doorbuster.cli.up import up
from doorbuster.errors import ConflictError, DoorbusterError, InvalidError, NotFoundError, SettingsError
from doorbuster.log import redact

FAILED, WRONG, INTERRUPTED = 1, 2, 130
_WRONG = (SettingsError, InvalidError, ConflictError, NotFoundError)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("doorbuster"), prog_name="doorbuster")
def cli() -> None:
    """Takes a shop's orders during a flash sale: never oversold, nothing accepted ever lost."""


for command in (up, migrate, import_catalogue, reindex, sale, keys, status, audit, bench):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    try:
        code = cli.main(arguments, prog_name="doorbuster", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return WRONG
    except click.ClickException as error:
        return _complain(error.format_message(), WRONG)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except DoorbusterError as error:
        return _complain(_problems(error), WRONG if isinstance(error, _WRONG) else FAILED)
    return code if isinstance(code, int) else 0


def _problems(error: DoorbusterError) -> str:
    if isinstance(error, InvalidError) and error.fields:
        return "\n".join(f"{name}: {problem}" for name, problem in error.fields)
    return error.detail


def _complain(text: str, code: int) -> int:
    for line in redact(text).splitlines():
        click.echo(f"doorbuster: {line}", err=True)
    return code
