-- An order's money, its parcels and what is given back, by line and parcel.

-- How a sale takes money: at the settling, at shipping, or not at all.
create type payment_mode as enum (
  'capture',    -- taken when the order is confirmed
  'authorise',  -- held when it is confirmed, taken parcel by parcel
  'none'        -- no business of ours: confirmed by the drain
);

-- What the payment provider has of an order's money, as far as we were told. Null in `orders`: it was not asked yet.
create type payment_status as enum (
  'requires_action',    -- the shopper must act; by the settle shift
  'authorised',         -- held; by the settle shift
  'captured',           -- taken, all or some of it; by the settle shift, or the money shift at shipping
  'partially_refunded', -- some of it given back; by the money shift
  'refunded',           -- all of it given back; by the money shift
  'voided',             -- let go, never taken; by the money shift
  'failed'              -- declined; by the settle shift
);

alter table sales
  add column payment          payment_mode not null default 'capture',
  add column hold_extension_s integer not null default 300 check (hold_extension_s between 0 and 86400);

-- Null in all of these costs no byte of a row.
alter table orders
  add column payment           payment_status, -- null: not asked yet, or nothing to ask for
  add column authorised        bigint,         -- minor units held at the provider when it was asked; null: none
  add column captured          bigint,         -- minor units taken
  add column refunded          bigint,         -- minor units given back
  add column payment_reference text,           -- the provider's own id of the payment
  add column next_action       jsonb,          -- the provider's, for the shopper's page, while it is open
  add column lines_metadata    jsonb;          -- of the lines, an array as long as they are many

alter table order_lines
  add column cancelled smallint, -- units taken off before they left; null: none
  add column shipped   smallint, -- units that left, those lost on the way too
  add column returned  smallint; -- of the shipped: units whose money was given back

alter table reservations
  add column extended boolean; -- true: the hold was made longer for a shopper who must act, which happens once

-- What the event says, where it is no transition: line_cancelled, shipment, refund, action_required.
alter table order_events add column kind text check (kind in ('line_cancelled', 'shipment', 'refund', 'action_required'));

-- What is to be done at the payment provider. Written in the transaction that decides it, repeated until done.
create table payment_operations (
  operation_id bigint generated always as identity primary key,
  order_id     uuid not null,
  kind         text not null check (kind in ('capture', 'void', 'refund', 'look_up')),
  amount       bigint check (amount > 0),  -- minor units of a capture or refund
  state        text not null default 'due' check (state in ('due', 'done', 'failed', 'discarded')),
  attempts     integer not null default 0,
  due_at       timestamptz not null default clock_timestamp(),
  created_at   timestamptz not null default clock_timestamp(),
  finished_at  timestamptz,
  refund_id    uuid,                       -- of a refund: the row it carries out
  shipment_id  uuid,                       -- of a capture: the parcel that it is for
  detail       text,                       -- what the provider said last, when it did not do it
  constraint amount_where_money_moves check ((amount is not null) = (kind in ('capture', 'refund'))),
  constraint finished_when_not_due check ((finished_at is null) = (state = 'due'))
) with (
  fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

create index payment_operations_due on payment_operations (due_at, operation_id) where state = 'due';
create index payment_operations_by_order on payment_operations (order_id);
-- Asked for twice, done once.
create unique index payment_operations_once on payment_operations (order_id, kind)
  where state = 'due' and kind in ('void', 'look_up');

-- Parcels.
create table shipments (
  shipment_id uuid primary key,
  order_id    uuid not null,
  seq         smallint not null,           -- of the order's event that tells of it
  carrier     text check (length(carrier) between 1 and 100),
  tracking    text check (length(tracking) between 1 and 200),
  status      text not null default 'shipped' check (status in ('shipped', 'delivered', 'lost')),
  at          timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp()
);

create index shipments_by_order on shipments (order_id, seq);

create table shipment_lines (
  shipment_id uuid not null references shipments,
  line        smallint not null,
  quantity    smallint not null check (quantity > 0),
  replaces    smallint not null default 0 check (replaces between 0 and quantity), -- of these: units sent again for lost ones
  primary key (shipment_id, line)
);

-- Money given back, wholly or in part.
create table refunds (
  refund_id       uuid primary key,
  order_id        uuid not null,
  seq             smallint not null,        -- of the order's event that tells of it
  amount          bigint not null check (amount > 0), -- minor units
  lines           jsonb,                    -- [{line, quantity, restock}]; null: an amount for no line in particular
  reason          text not null,
  status          text not null default 'pending' check (status in ('pending', 'succeeded', 'failed')),
  idempotency_key text,                     -- of the call that asked for it
  fingerprint     bytea,                    -- of its body
  at              timestamptz not null default clock_timestamp(),
  unique (order_id, idempotency_key)
);

create index refunds_by_order on refunds (order_id, seq);
