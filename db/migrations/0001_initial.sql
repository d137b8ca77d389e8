-- The first schema. Once released this file is never edited: changes come as further files.
--
-- Rows of the hot path (orders, order_lines, reservations, order_events) carry no foreign keys: one check per row would
-- cost about as much as writing the row (docs/adr/0003). The audit looks for orphans instead.
-- Who locks what, and in which order, is in docs/locking.md.

-- The states of an order. docs/states.md has the diagram; db/orders/states.py the same table in Python.
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
  updated_at  timestamptz not null default now()
);

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
) with (fillfactor = 50);

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
  version        bigint not null default 1,
  created_at     timestamptz not null default now(),
  closed_at      timestamptz,
  constraint sale_window check (ends_at > starts_at),
  constraint sale_closed_at check ((phase = 'closed') = (closed_at is not null))
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
) with (fillfactor = 50);

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
) with (fillfactor = 85);

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
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);

create index reservations_due on reservations (sale_number, partition, due_at, order_id);
create index reservations_expiring on reservations (expires_at);

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
);

-- Leases of shifts. `fence` grows with every new holder; a batch of an old one finds no row.
create table shifts (
  name             text primary key,
  fence            bigint not null,
  holder           text not null,
  lease_expires_at timestamptz not null
) with (fillfactor = 50);

-- How far each partition's stream is drained; moves in the batch's own transaction.
create table stream_cursors (
  sale_number integer not null,
  partition   smallint not null,
  entry_id    text not null default '0-0',
  drained     bigint not null default 0,   -- entries worked off: orders made, dead letters, and
  repeated    bigint not null default 0,   -- entries of orders that were there already
  primary key (sale_number, partition)
) with (fillfactor = 50);

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

-- Where events are to be delivered over HTTP.
create table webhooks (
  webhook_id bigint generated always as identity primary key,
  url        text not null check (url ~ '^https?://'),
  secret     text not null,
  active     boolean not null default true,
  created_at timestamptz not null default now()
);
