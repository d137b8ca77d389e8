"""Where each command of `doorbuster` is, with its help's first sentence. Owns this table; imports no command.

What a command needs is imported when it is asked for, not with every start of the program; a test holds each sentence
to that of the command itself.
"""

from __future__ import annotations

from doorbuster.cli.group import Place

# fmt: off
COMMANDS = {
    "up": Place(
        "doorbuster.cli.instance.up", "up",
        "Run everything: PostgreSQL, Valkey, intake, workers and scheduler.",
    ),
    "down": Place(
        "doorbuster.cli.instance.up", "down",
        "End the instance of a data folder, in the background or not, and wait until it has ended.",
    ),
    "env": Place(
        "doorbuster.cli.instance.up", "env",
        'Print what a shell needs to call the instance: eval "$(doorbuster env)".',
    ),
    "status": Place(
        "doorbuster.cli.instance.status", "status",
        "Show processes, stores and sales, with the backlog; exits 1 when anything is amiss.",
    ),
    "migrate": Place(
        "doorbuster.cli.instance.migrate", "migrate",
        "Apply the migrations that the database lacks; again is safe.",
    ),
    "import": Place(
        "doorbuster.cli.catalogue.import_command", "import_catalogue",
        "Import a catalogue: JSON Lines or CSV, plain or gzip, a product a line; `-` reads from standard input.",
    ),
    "reindex": Place(
        "doorbuster.cli.catalogue.reindex", "reindex",
        "Build the search index of SEARCH_URL anew from the database.",
    ),
    "sale": Place(
        "doorbuster.cli.sale.commands", "sale",
        "Make, show and steer sales.",
    ),
    "prewarm": Place(
        "doorbuster.cli.sale.commands", "prewarm",
        "Warm everything up for the sale and report go or no-go; exits 1 on no-go.",
    ),
    "rehearse": Place(
        "doorbuster.cli.rehearse", "rehearse",
        "Sell a shadow of SALE on the running stack, find the rate that it takes, remove every trace.",
    ),
    "wait": Place(
        "doorbuster.cli.sale.commands", "wait",
        "Wait until the sale is where it should be.",
    ),
    "watch": Place(
        "doorbuster.cli.watch.command", "watch",
        "Watch how a sale goes; without SALE the one that is on or next, or all that are on.",
    ),
    "product": Place(
        "doorbuster.cli.catalogue.product", "product",
        "Make, change, show and list products.",
    ),
    "stock": Place(
        "doorbuster.cli.catalogue.stock", "stock",
        "Show, receive and adjust the units of products.",
    ),
    "orders": Place(
        "doorbuster.cli.orders.commands", "orders",
        "List, show, export, ship, refund and cancel orders.",
    ),
    "dead-letters": Place(
        "doorbuster.cli.dead_letters", "dead_letters",
        "List, show, retry and discard what could not be done: orders, deliveries, payments.",
    ),
    "losses": Place(
        "doorbuster.cli.losses", "losses",
        "List, show and acknowledge losses: times that the order store came back without its end.",
    ),
    "webhooks": Place(
        "doorbuster.cli.webhooks", "webhooks",
        "Make, list and steer webhooks: endpoints that are told what happens.",
    ),
    "log": Place(
        "doorbuster.cli.ops_log", "show_log",
        "Show what ops changed, newest first; of one TARGET alone, like sale:spring, product:lamp or catalogue.",
    ),
    "keys": Place(
        "doorbuster.cli.instance.keys", "keys",
        "Change the keys that sign tickets and admissions.",
    ),
    "ops-keys": Place(
        "doorbuster.cli.ops_keys", "ops_keys",
        "Make, list and revoke keys of the ops API; takes an admin's key.",
    ),
    "audit": Place(
        "doorbuster.cli.audit.command", "audit",
        "Check promises P1 to P6, P11, P12, and P7 as far as can be, against the running stores;"
        " exits 1 on any breach.",
    ),
    "bench": Place(
        "doorbuster.cli.bench", "bench",
        "Measure orders, waiting room and catalogue reads; prints a table and writes JSON.",
    ),
}
# fmt: on
