-- Doorbuster's tables. `db/migrations` applied in order give exactly this (a test compares them).
--
-- Rows of the hot path (orders, order_lines, reservations, order_events) carry no foreign keys: one check per row would
-- cost about as much as writing the row (docs/adr/0003). The audit looks for orphans instead.
-- Who locks what, and in which order, is in docs/locking.md.

create extension if not exists pg_trgm;
create extension if not exists unaccent;

-- English words without accents, stemmed; and words as they stand, for model numbers.
create text search configuration catalogue_words (copy = pg_catalog.english);
alter text search configuration catalogue_words
  alter mapping for hword, hword_part, word with unaccent, english_stem;
create text search configuration catalogue_exact (copy = pg_catalog.simple);
alter text search configuration catalogue_exact
  alter mapping for hword, hword_part, word with unaccent, simple;

-- The states of an order. docs/states.md has the diagram; db/states.py the same table in Python.
create type order_status as enum (
  'pending',      -- reserved, waiting for payment; by the drain
  'confirmed',    -- paid; by the settle shift
  'processing',   -- being packed; by ops or fulfilment
  'shipped',      -- left the house, reserved units became sold; by ops or fulfilment
  'delivered',    -- arrived; by ops or fulfilment
  'cancelled',    -- final: sold out, declined, expired, or taken back before shipping; units given back
  'refunded'      -- final: money returned after delivery
);

create type sale_phase as enum (
  'open',    -- takes orders inside its window
  'hold',    -- takes none for now; an operator's pause
  'drain',   -- takes none any more, works off what it accepted
  'closed'   -- over
);

-- Words apart, small letters; decimals stay whole, thousands lose their comma.
create function search_words(said text) returns text language sql immutable strict parallel safe as $$
  select regexp_replace(regexp_replace(lower(said), '(\d),(?=\d{3})', '\1', 'g'),
                        '[^[:alnum:].]+|\.(?!\d)|(?<!\d)\.', ' ', 'g')
$$;

-- Model numbers in one piece: dv7-1211ea also as dv71211ea.
create function search_models(said text) returns text language sql immutable strict parallel safe as $$
  select coalesce(string_agg(regexp_replace(found[1], '[^[:alnum:]]+', '', 'g'), ' '), '')
    from regexp_matches(lower(said), '[[:alnum:]]+(?:[-/._+][[:alnum:]]+)+', 'g') as found
    where found[1] ~ '\d'
$$;

-- The texts among a product's attributes.
create function search_attributes(attributes jsonb) returns text language sql immutable strict parallel safe as $$
  select coalesce(left(string_agg(value #>> '{}', ' . '), 8000), '')
    from jsonb_path_query(attributes, 'strict $.** ? (@.type() == "string")') as value
$$;

-- A: the name up to what it is for or comes with, the product's id, model numbers; B: brand and category;
-- C: the rest of the name and the description; D: attributes. Unstemmed words of the name stand without a place:
-- they are found, by the beginning of a word too, and count for little.
create function search_vector(product_id text, name text, brand text, category text, description text, attributes jsonb)
returns tsvector language sql immutable parallel safe as $$
  select setweight(to_tsvector('catalogue_words', search_words(said.head)), 'A')
      || setweight(to_tsvector('catalogue_exact', search_models(name) || ' ' || search_words(product_id) || ' '
                                                  || search_models(product_id)), 'A')
      || setweight(to_tsvector('catalogue_words', search_words(brand || ' ; ' || category)), 'B')
      || setweight(to_tsvector('catalogue_words',
                               search_words(substr(name, length(said.head) + 1) || ' ; ' || coalesce(description, ''))), 'C')
      || setweight(to_tsvector('catalogue_words', search_words(said.more)), 'D')
      || strip(to_tsvector('catalogue_exact', search_words(name) || ' ' || search_models(said.more)))
    from (select coalesce(substring(name from '^(.+?)\y(?:for|with|without|incl|including)\y'), name) as head,
                 search_attributes(attributes) as more) said
$$;

-- Weights of D, C, B and A, as ts_rank_cd takes them: attributes, description, brand, name. A word in a text of ordinary
-- length counts a quarter of one that stands alone (BM25's length normalisation, b = 0.75; lengths in characters).
create function search_weights(name text, description text, attributes jsonb) returns real[]
language sql immutable parallel safe as $$
  select array[
    0.1 / (1 + 3 * coalesce(length(search_attributes(attributes)), 0) / 300.0),
    0.25 / (1 + 3 * coalesce(length(description), 0) / 55.0),
    0.075,
    1.0 / (1 + 3 * length(name) / 55.0)
  ]::real[]
$$;

create table products (
  product_id  text primary key check (length(product_id) between 1 and 64),
  name        text not null check (length(name) between 1 and 500),
  brand       text not null check (length(brand) <= 200),
  category    text not null check (length(category) <= 200),
  description text,
  price       bigint not null check (price >= 0),             -- minor units
  currency    text not null check (currency ~ '^[A-Z]{3}$'),  -- ISO 4217
  active      boolean not null default true,
  attributes  jsonb not null default '{}',
  version     bigint not null default 1,                      -- grows with every change
  updated_at  timestamptz not null default now(),
  created_at  timestamptz not null default now(),
  search      tsvector not null generated always as (
    search_vector(product_id, name, brand, category, description, attributes)
  ) stored,
  search_weights real[] not null generated always as (
    search_weights(name, description, attributes)
  ) stored
);

create index products_search on products using gin (search) where active;
create index products_by_brand on products (lower(brand), brand) where active;
create index products_by_category_name on products (lower(category), category) where active;
create index products_name_trigrams on products using gin (lower(name) gin_trgm_ops) where active;
create index products_by_category on products (category, product_id) where active;
create index products_listed on products (product_id) where active;

-- The ledger (promise P2): every unit ever received is in stock, reserved or sold.
create table stock (
  product_id text primary key references products,
  stock      bigint not null default 0,
  reserved   bigint not null default 0,
  sold       bigint not null default 0,
  received   bigint not null default 0,
  constraint stock_not_oversold check (stock >= 0),
  constraint reserved_not_negative check (reserved >= 0),
  constraint sold_not_negative check (sold >= 0),
  constraint stock_ledger_balances check (stock + reserved + sold = received)
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

create table stock_movements (
  movement_id bigint generated always as identity primary key,
  product_id  text not null references products,
  quantity    bigint not null check (quantity <> 0),
  reason      text not null,
  at          timestamptz not null default now()
);

create table sales (
  sale_number    integer generated always as identity primary key check (sale_number < 16777216),
  sale_id        text not null unique check (sale_id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
  name           text,
  starts_at      timestamptz not null,
  ends_at        timestamptz,
  partitions     smallint not null default 1 check (partitions between 1 and 64),
  hold_s         integer not null default 600 check (hold_s between 1 and 86400),
  prewarm_lead_s integer not null default 1800 check (prewarm_lead_s between 0 and 86400),
  phase          sale_phase not null default 'open',
  room           jsonb not null default '{"mode": "off"}',
  -- Seed of the lobby's shuffle, drawn when the sale is made; its hash is published before, itself after the shuffle.
  room_secret    bytea not null
                 default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'),
  room_epoch     integer not null default 1 check (room_epoch > 0),  -- bumped to revoke every admission out
  version        bigint not null default 1,
  created_at     timestamptz not null default now(),
  closed_at      timestamptz,
  constraint sale_window check (ends_at > starts_at),
  constraint sale_closed_at check ((phase = 'closed') = (closed_at is not null)),
  constraint sale_times check (
    starts_at between '1970-01-01Z' and '9999-12-31Z' and ends_at between '1970-01-01Z' and '9999-12-31Z'
  )
);

create table sale_products (
  sale_number        integer not null references sales,
  product_id         text not null references products,
  price              bigint check (price >= 0),                   -- null: the product's own
  quantity           bigint check (quantity >= 0),                -- allotment of this sale; null: all there is
  taken              bigint not null default 0 check (taken >= 0),-- of the allotment, in orders not cancelled
  limit_per_customer integer check (limit_per_customer > 0),
  primary key (sale_number, product_id),
  constraint allotment_not_oversold check (taken <= quantity)
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- Units of a limited product that a customer has in orders not cancelled.
create table purchases (
  sale_number integer not null,
  product_id  text not null,
  customer_id text not null,
  quantity    integer not null check (quantity >= 0),
  primary key (sale_number, product_id, customer_id)
);

create table orders (
  order_id      uuid primary key,
  sale_number   integer not null,
  partition     smallint not null,
  entry_seq     integer not null,          -- with accepted_at the stream entry's id: place in the order of acceptance
  version       smallint not null,         -- number of events so far
  status        order_status not null,
  accepted_at   timestamptz not null,      -- the order store's clock, milliseconds
  updated_at    timestamptz not null,
  total         bigint not null,           -- minor units
  currency      text not null,
  customer_id   text not null,
  reason        text,                      -- why cancelled or refunded
  payment_token text,
  fingerprint   bytea not null,            -- of the accepted body: tells a replay from a conflict
  metadata      jsonb
) with (fillfactor = 50);                    -- every order is updated once, by its payment: beside itself, no index

-- By sale in order of acceptance: lists, first come first served.
create index orders_by_acceptance on orders (sale_number, partition, accepted_at, entry_seq);
create index orders_by_customer on orders (customer_id);

create table order_lines (
  order_id   uuid not null,
  line       smallint not null,
  quantity   integer not null,
  unit_price bigint not null,
  product_id text not null,
  primary key (order_id, line)
);

-- The hold of a pending order, and the settle shift's list of work. Gone when the order is confirmed or cancelled.
create table reservations (
  order_id      uuid primary key,
  sale_number   integer not null,
  partition     smallint not null,
  attempts      smallint not null default 0,
  due_at        timestamptz not null,      -- next attempt at payment
  expires_at    timestamptz not null,      -- end of the hold
  total         bigint not null,
  currency      text not null,
  payment_token text
) with (
  -- Vacuum comes by number of dead rows, not by share of a table that is empty one minute and full the next; it gives no
  -- pages back at their end, since for that it would lock out everyone else.
  fillfactor = 80,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100000, vacuum_truncate = off,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);

create index reservations_due on reservations (sale_number, partition, due_at, order_id);
-- What the sweep may cancel: its payment was asked for at least once.
create index reservations_expiring on reservations (expires_at) where attempts > 0;

-- One row a transition, written in its transaction (P5); the outbox that the relay reads (P6).
-- (order_id, seq) is the event's stable id. `tx` lets the relay wait for commits that are still open.
create table order_events (
  order_id uuid not null,
  seq      smallint not null,
  status   order_status not null,
  at       timestamptz not null,
  reason   text,
  position bigint generated always as identity,
  tx       xid8 not null default pg_current_xact_id(),
  primary key (order_id, seq)
);

create index order_events_outbox on order_events (tx, position);

-- How far each relay has published the outbox.
create table relay_cursors (
  relay    text primary key,
  tx       xid8 not null,
  position bigint not null
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- Leases of shifts. `fence` grows with every new holder; a batch of an old one finds no row.
create table shifts (
  name             text primary key,
  fence            bigint not null,
  holder           text not null,          -- empty: given back
  lease_expires_at timestamptz not null,
  batch_max        integer check (batch_max > 0), -- how much it takes at a time; null: as much as fits
  payments_per_s   real                    -- of a settle shift: what its gateway takes; null: not known, or at once
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- How far each partition's stream is drained; moves in the batch's own transaction.
create table stream_cursors (
  sale_number integer not null,
  partition   smallint not null,
  entry_id    text not null default '0-0',
  drained     bigint not null default 0,   -- entries worked off: orders made, dead letters, and
  repeated    bigint not null default 0,   -- entries of orders that were there already
  primary key (sale_number, partition)
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- Accepted entries that could not become orders. Nothing accepted is dropped: they wait here for a person.
create table dead_letters (
  dead_letter_id bigint generated always as identity primary key,
  sale_number    integer not null,
  partition      smallint not null,
  entry_id       text not null,
  order_id       uuid,                     -- when the entry could be read that far
  payload        bytea not null,
  reason         text not null,
  detail         text not null,
  created_at     timestamptz not null default now(),
  retried_at     timestamptz,
  unique (sale_number, partition, entry_id)
);

create index dead_letters_by_order on dead_letters (order_id);

-- What ops changed: one row a call that changed something, in its transaction.
create table ops_log (
  entry_id bigint generated always as identity primary key,
  at       timestamptz not null default clock_timestamp(),
  action   text not null,
  target   text not null,
  change   jsonb not null,
  operator text not null default '' -- as whoever holds the ops key names itself; empty: it does not
);

create index ops_log_by_target on ops_log (target, entry_id);

-- Where events are to be delivered over HTTP.
create table webhooks (
  webhook_id bigint generated always as identity primary key,
  url        text not null check (url ~ '^https?://'),
  secret     text not null,
  active     boolean not null default true,
  created_at timestamptz not null default now()
);

-- Prices for a time: from starts_at until before ends_at this price holds in place of the product's own.
-- Evaluated when a product is read, never by a job; where windows overlap, the one that began last holds.
create table product_prices (
  product_id text not null references products,
  starts_at  timestamptz not null,
  ends_at    timestamptz,                        -- null: until another window begins
  price      bigint not null check (price >= 0), -- minor units of the product's currency
  primary key (product_id, starts_at),
  constraint price_window check (ends_at > starts_at),
  constraint price_times check (
    starts_at between '1970-01-01Z' and '9999-12-31Z' and ends_at between '1970-01-01Z' and '9999-12-31Z'
  )
);

-- One row for each new version of a product, written by triggers in the transaction of the change, whoever makes it.
-- The outbox that caches, CDNs and search indexes are kept right from. `tx` as in order_events.
create table product_changes (
  product_id      text not null,
  version         bigint not null,
  category        text not null,
  former_category text,                          -- when the product moved
  at              timestamptz not null default clock_timestamp(),
  position        bigint generated always as identity,
  tx              xid8 not null default pg_current_xact_id(),
  primary key (tx, position)
) with (vacuum_truncate = off);

create index product_changes_recent on product_changes (at);

create function note_new_products() returns trigger language plpgsql as $$
begin
  insert into product_changes (product_id, version, category)
    select product_id, version, category from new_rows;
  return null;
end $$;

create function note_changed_products() returns trigger language plpgsql as $$
begin
  insert into product_changes (product_id, version, category, former_category)
    select n.product_id, n.version, n.category, nullif(o.category, n.category)
      from new_rows n join old_rows o using (product_id);
  return null;
end $$;

-- A new price window is a new version of its product.
create function note_changed_prices() returns trigger language plpgsql as $$
begin
  update products set version = version + 1, updated_at = clock_timestamp()
    where product_id in (select product_id from changed_rows);
  return null;
end $$;

create trigger products_added after insert on products
  referencing new table as new_rows for each statement execute function note_new_products();
create trigger products_changed after update on products
  referencing old table as old_rows new table as new_rows for each statement execute function note_changed_products();
create trigger prices_added after insert on product_prices
  referencing new table as changed_rows for each statement execute function note_changed_prices();
create trigger prices_removed after delete on product_prices
  referencing old table as changed_rows for each statement execute function note_changed_prices();
create trigger prices_changed after update on product_prices
  referencing new table as changed_rows for each statement execute function note_changed_prices();
