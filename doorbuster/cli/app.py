"""The `doorbuster` command: turns every error into a line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys

import click

from doorbuster.cli.answer import Declined
from doorbuster.cli.group import CommandsByName, Interrupted
from doorbuster.cli.places import COMMANDS
from doorbuster.embedded.detached import StartError
from doorbuster.errors import ConflictError, DoorbusterError, InvalidError, NotFoundError, SettingsError
from doorbuster.interrupted import EXIT_CODE, say_interrupted
from doorbuster.log import redact

FAILED, WRONG = 1, 2
_WRONG = (SettingsError, InvalidError, ConflictError, NotFoundError)


@click.group(
    cls=CommandsByName, places=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)  # fmt: skip
@click.version_option(package_name="doorbuster", prog_name="doorbuster")
def cli() -> None:
    """Takes a shop's orders during a flash sale: never oversold, nothing accepted ever lost."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    try:
        code = cli.main(arguments, prog_name="doorbuster", standalone_mode=False)
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt, Interrupted):
        say_interrupted()
        return EXIT_CODE
    except Declined as error:
        return _complain(error.format_message(), FAILED)
    except click.exceptions.NoArgsIsHelpError as error:
        return _complain(_choices(error), WRONG)
    except click.ClickException as error:
        return _complain(" ".join(error.format_message().split()), WRONG)
    except StartError as error:
        return _complain(error.detail, error.exit_code or FAILED)
    except DoorbusterError as error:
        return _complain(_problems(error), WRONG if isinstance(error, _WRONG) else FAILED)
    except UnicodeEncodeError as error:  # an id in a path: a shell hands over any bytes
        return _complain(f"{error.object.encode(errors='replace').decode()[:64]!r} is no UTF-8", WRONG)
    except OSError as error:
        return _os_failed(error)
    return code if isinstance(code, int) else 0


def _choices(error: click.exceptions.NoArgsIsHelpError) -> str:
    """Return one line instead of the whole help: what could have been said."""
    context = error.ctx
    assert context is not None
    group = context.command
    if not isinstance(group, click.Group):
        return f"{context.command_path}: see {context.command_path} --help"
    names = ", ".join(group.list_commands(context))
    return f"say what to do, `{context.command_path} ...`: {names}; or --help"


def _problems(error: DoorbusterError) -> str:
    if isinstance(error, InvalidError) and error.fields:
        return "; ".join(f"{name}: {problem}" for name, problem in error.fields)
    return error.detail


def _os_failed(error: OSError) -> int:
    if error.errno == errno.EPIPE:  # who read the output has had enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return _complain(f"{error.filename or 'a file'}: {error.strerror or error}", FAILED)


def _complain(text: str, code: int) -> int:
    for line in redact(text).splitlines():
        click.echo(f"doorbuster: {line}", err=True)
    return code
