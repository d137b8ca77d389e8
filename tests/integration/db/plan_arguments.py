"""What the statements of `test_plans` are planned with, where a column's own value would not do. Owns values alone."""

from __future__ import annotations

from uuid import UUID

BATCH = 1_000
_SNAPSHOT = "pg_current_snapshot()::text"
_EVER = ("'1970-01-01Z'", "'9999-01-01Z'")
_WINDOW = ("'2000-01-01Z'", "'2001-01-01Z'")
_PRODUCTS = f"'{{{','.join(f'p{n}' for n in range(1, BATCH + 1))}}}'"
_ONES, _LESS, _NONE = (f"'{{{','.join([units] * BATCH)}}}'" for units in ("1", "-1", "0"))
_FINISHED = f"'{{{','.join(map(str, range(1, BATCH + 1)))}}}'::bigint[]"
_ENDED = ("'delivered'::text", "200", "null::text", "null::float8", "null::text")
_FIRST = "overlay(md5('1') placing '0' from 1)::uuid"
"""Of a sale: the ids of the upper half are those of rehearsals."""
_ORDER = f"array[{_FIRST}]"
_NOBODY = "'00000000-0000-0000-0000-000000000000'"
OWN_ARGUMENTS: dict[tuple[str, str], list[str]] = {
    ("store_losses", "note_loss"): ["1", "0", "'1-0'", "'0-0'", "'1-0'", "0", "0", "1", "'drain'"],
    ("store_losses", "note_lost"): [_ORDER, "array[1]", "array[0]::smallint[]", "array['1-0']", "null"],
    ("live", "confirmed"): [
        "'0'",
        "'1'",
        "array[1]",
        f"array[{_NOBODY}::uuid]",
        "array['ffffffff-0000-0000-0000-000000000000'::uuid]",
    ],
    ("live", "sales"): ["array[1]", "array[1]"],
    ("live", "products"): ["array[1]", "200"],
    ("catalogue", "add_prices"): ["'p1'", *(f"array[{one}::timestamptz]" for one in _WINDOW), "array[5]"],
    ("catalogue_changes", "appeared"): [_SNAPSHOT, "1000"],
    ("catalogue_changes", "unrelayed"): ["'0'", "0", "1000"],
    ("locked_order", "move_units"): [_PRODUCTS, _ONES, _LESS, _NONE],
    ("locked_order", "return_purchases"): ["1", "'p1'", _PRODUCTS, _ONES],
    ("locked_order", "tell"): [_FIRST, "2", "'confirmed'", "now()", "null", "'shipment'", "null"],
    ("shipments", "add_shipment_line"): [f"'{UUID(int=0)}'", "1", "1", "0"],
    ("ops_sessions", "end_session"): ["substr(sha256('x'), 1, 16)", "now()"],
    ("ops_sessions", "begin_totp"): ["1", "substr(sha256('x'), 1, 20)"],
    ("ops_sessions", "use_totp"): ["1", "5", "substr(sha256('x'), 1, 20)"],
    ("ops_keys", "make_key"): ["'n'", "'view'", "sha256('x')", "'OPS_KEY'", "null"],
    ("orders", "list_orders"): ["'s1'", "null", "now()", _FIRST, "1000", *_EVER],
    ("orders", "list_orders_by_reason"): ["'s1'", "null", "now()", _FIRST, "1000", *_EVER, "'rare'"],
    ("orders", "list_customers_orders"): ["'s1'", "null", "null", "null", "1000", *_EVER, "null", "'p1'"],
    ("orders", "orders_to_export"): [
        "array[1, 1]",
        "array[0, 1]::smallint[]",
        "array[now() - interval '2 s', now()]",
        "array[0, 0]",
        "now()",
        "1000",
        "null",
        "'rare'",
    ],
    ("outbox", "advance_relay"): ["'events'", "'5'", "5"],
    ("outbox", "unpublished"): ["'0'", "0", "1000"],
    ("outbox", "unpublished_of_shadows"): ["'0'", "0", "1000"],
    ("products", "put_product"): ["'p1'", "'n'", "'b'", "'c'", "null", "5", "'EUR'", "true", "'{}'"],
    ("money", "note_payment"): [_FIRST, "'captured'", "null", "5", "0", "null"],
    ("transitions", "confirm_paid"): [_ORDER, "array['captured']", "array[null::bigint]", "array[5]", "array['r']"],
    ("transitions", "cancel_if_pending"): [_ORDER, "'why'", "'failed'"],
    ("simulated_books", "open_books"): [
        f"array[{_NOBODY}::uuid]",
        "array['voided']",
        "array[5]",
        "array['EUR']",
        "array[true]",
        "array[0]",
        "array[null]",
        "array[null::float8]",
        "array[true]",
    ],
    ("simulated_books", "open_book"): [
        "'00000000-0000-0000-0000-000000000000'",
        "'voided'",
        "5",
        "'EUR'",
        "true",
        "0",
        "null",
        "null",
        "true",
    ],
    ("simulated_books", "write_book"): [_FIRST, "'captured'", "5", "0", "'{}'", "true"],
    ("money", "queue_once"): [_ORDER, "'void'", "0"],
    ("webhook_deliveries", "due"): [
        "array[1, 2, 3, 4, 5]",
        "array[40, 40, 40, 40, 40]",
        "array[false, false, false, true, true]",
    ],
    ("webhook_deliveries", "finish"): [_FINISHED, *(f"array_fill({one}, array[1000])" for one in _ENDED)],
    ("webhook_replays", "add"): ["1", *_WINDOW, "null", "array['orders']"],
    ("webhook_replays", "advance"): ["1", "'5'", "5"],
    ("webhook_replays", "walk_orders"): ["'0'", "0", "1000"],
    ("webhooks", "create"): ["'https://shop.example'", "null", "''", "'s'", "200"],
    ("webhooks", "note_attempts"): ["1", "5", "1", "'active'", "null"],
    ("webhooks", "rotate"): ["1", "'s'", "1"],
    ("world_events", "announce"): ["array['e']", "array['sale.opened']", "array['sale:s']", "array['{}'::jsonb]"],
    ("world_events", "untold"): ["'0'", "0", "1000"],
    ("standby", "candidates"): [
        f"'{{{','.join(['1'] * BATCH)}}}'",
        f"'{{{','.join(f'p{n}' for n in range(1, BATCH + 1))}}}'",
        f"'{{{','.join(['9'] * BATCH)}}}'",
        "'2000-01-01Z'",
        "0",
        "0",
        _FIRST,
        "10",
    ],
    ("standby", "serve"): ["array[gen_random_uuid()]", "array[1]", "array[5]", "array[5]"],
    ("sales", "create_sale"): [
        "'s9'",
        "'n'",
        *_WINDOW,
        "1",
        "5",
        "5",
        "'{}'",
        "'none'",
        "5",
        "5",
        "'[]'",
        "'{}'",
        "null",
    ],
    ("sales", "update_sale"): [
        "1",
        "'n'",
        *_WINDOW,
        "5",
        "5",
        "'none'",
        "5",
        "5",
        "'[]'",
        "'{}'",
        "'open'",
        "'{}'",
        "null",
        "null",
    ],
}
