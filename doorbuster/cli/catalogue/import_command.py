"""`doorbuster import`: how the command is called. Owns its options and their words; the work is import_run's."""

from __future__ import annotations

from pathlib import Path

import click

from doorbuster.cli import options
from doorbuster.cli.catalogue.import_run import ImportOptions, run
from doorbuster.cli.catalogue.presets import PRESETS
from doorbuster.embedded.data.instance import find


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--preset", type=click.Choice(list(PRESETS)), help="The file is what this shop system exports.")
@click.option("--map", "maps", multiple=True, metavar="THEIRS=OURS", help="Their column is our field; again for more.")
@click.option("--default", "defaults", multiple=True, metavar="FIELD=VALUE", help="Where a line has no such field.")
@click.option(
    "--price-unit", "unit", type=click.Choice(["minor", "major"]), help="Prices are like 1999, or like 19.99."
)
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), help="By default the file's name tells.")
@click.option("--delimiter", metavar="SIGN", help="Of a CSV: one character, or `tab`; by default the header tells.")
@click.option("--dry-run", is_flag=True, help="Check everything, also against the database, and keep nothing.")
@click.option("--errors", type=click.Path(path_type=Path, dir_okay=False), help="Write bad lines, with reasons, here.")
@options.data
def import_catalogue(file: Path, data: Path | None, **said: object) -> int:
    """Import a catalogue: JSON Lines or CSV, plain or gzip, a product a line; `-` reads from standard input.

    Fields: product_id, name, brand, category, description, price (minor units), currency, active, attributes, stock.
    Stock is received with a product's first import only, so that importing again is safe. A column that the file does
    not have changes nothing in products that exist: descriptions stay, and what was taken off sale stays off.

    Without --map a column that is none of these is refused, naming it. With --map, columns that are neither mapped nor
    known become attributes; `--map COLUMN=` leaves a column out. An Icecat file, for example:

    \b
      doorbuster import icecat_products.jsonl.gz \\
        --map id=product_id --map title=name --map supplier=brand \\
        --map short_description=description \\
        --default category=Electronics --default currency=EUR

    Files as shops export them; --map and --default go before what a preset says. Try with --dry-run first:

    \b
      doorbuster import products_export.csv --preset shopify --default currency=EUR --dry-run
      doorbuster import feed.tsv --preset google --errors bad.tsv

    Prices are whole minor units, 1999 for 19.99. --price-unit major takes 19.99, 19,99 and 19.99 EUR, by the decimals
    that the currency has; the presets do. Without it a file in which any price has decimals is refused as a whole.

    Bad lines are told by number on stderr and the rest is imported; the exit code is then 1, also if a product stands
    twice. It is 2 if nothing was imported because options and file do not fit, or if the file cannot be read to its
    end; what could be read is imported.
    """
    return run(file, find(data).url("database"), ImportOptions(**said))  # type: ignore[arg-type]
