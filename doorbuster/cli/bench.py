"""`doorbuster bench`: the project's figures against floors and rivals in the same run."""

from __future__ import annotations

import importlib

import click

from doorbuster.errors import SettingsError


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False)
@click.pass_context
def bench(context: click.Context) -> int:
    """Measure orders, waiting room and catalogue reads; prints a table and writes JSON."""
    try:
        module = importlib.import_module("loadtests.bench")
    except ImportError as error:
        raise SettingsError(f"the load tests are not installed ({error.name} is missing)") from error
    try:
        code = module.main(list(context.args))
    except SystemExit as ended:  # its own parser has said what is wrong, or what it takes
        code = ended.code
    return code if isinstance(code, int) else 0
