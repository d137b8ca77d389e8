"""`doorbuster rehearse SALE`: finds by a rehearsal which rate the stack takes, and whether the sale's is one."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click
import msgspec

from doorbuster.cli import ops, options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.embedded.data.instance import find
from doorbuster.errors import SettingsError

INSTALL = "pip install 'doorbuster[loadtests]'"


@click.command("rehearse")
@click.argument("sale")
@click.option("--shape", default="spike", metavar="spike|real|FILE", help="The crowd that is played at the end.")
@click.option("--scale", type=options.Number(0.01, 100), default=1.0, help="Its peak, in rates that are set.")
@click.option("--seconds", type=options.Number(1, 600), default=30.0, help="Its length.")
@click.option("--step", "step_s", type=options.Number(1, 60), default=6.0, help="How long each rate is held.")
@click.option(
    "--max-rate", "most_per_s", type=options.Number(1, 100_000), default=20_000.0, help="No rate above is tried."
)
@click.option("--p99-ms", type=options.Number(1, 60_000), default=250.0, help="Above it an acceptance is too slow.")
@click.option("--beside-live", is_flag=True, help="Although a sale is on: few requests at a time, up to the set rate.")
@options.data
@json_option
def rehearse(sale: str, data: Path | None, *, as_json: bool, **given: Any) -> int:
    """Sell a shadow of SALE on the running stack, find the rate that it takes, remove every trace.

    Exit code 0: the rate that is set was held; 1: it was not, or the rehearsal was stopped; 2: wrong usage. The result
    stays: GET /ops/sales/SALE/rehearsals. Needs the load tests: pip install 'doorbuster[loadtests]'.
    """
    options.check_sale_id(sale)
    try:
        run = importlib.import_module("loadtests.rehearse.run")
    except ImportError as error:
        raise SettingsError(f"the load tests are not installed ({error.name} is missing): {INSTALL}") from error
    instance = find(data)
    terms = run.Terms(
        base=instance.base, ops_base=instance.ops_base, ops_key=instance.ops_key, sale=sale, operator=ops.operator(),
        **given,
    )  # fmt: skip
    outcome = run.main(terms, run.eprint if as_json else click.echo)
    if as_json:
        click.echo(msgspec.json.encode(outcome).decode())
    else:
        for line in run.conclusion(outcome):
            click.echo(line)
    code: int = outcome.code
    return code
