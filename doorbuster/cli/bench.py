"""`doorbuster bench`: the project's figures against floors and rivals in the same run."""

from __future__ import annotations

import importlib

import click

from doorbuster.errors import SettingsError

INSTALL = "pip install 'doorbuster[embedded,loadtests]'"
_HELP = {"-h", "--help"}


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False)
@click.pass_context
def bench(context: click.Context) -> int:
    """Measure orders, waiting room and catalogue reads; prints a table and writes JSON.

    Needs the load tests: pip install 'doorbuster[embedded,loadtests]'.
    """
    try:
        module = importlib.import_module("loadtests.bench")
    except ImportError as error:
        if _HELP & set(context.args):
            click.echo(context.get_help())
            return 0
        raise SettingsError(f"the load tests are not installed ({error.name} is missing): {INSTALL}") from error
    try:
        code = module.main(list(context.args))
    except SystemExit as ended:  # its own parser has said what is wrong, or what it takes
        code = ended.code
    return code if isinstance(code, int) else 0
