-- What a shop would write first: one statement reserves one order, on tables of its own. The load tests measure
-- Doorbuster against it (loadtests/rivals/baseline.py); nothing else runs these.

-- name: create_tables
drop schema if exists baseline cascade;
create schema baseline;
create table baseline.stock (
  product_id text primary key,
  stock      bigint not null check (stock >= 0),
  reserved   bigint not null default 0
) with (fillfactor = 50);
create table baseline.orders (
  order_id        uuid primary key,
  customer_id     text not null,
  idempotency_key text not null,
  status          text not null,
  created_at      timestamptz not null default now(),
  unique (customer_id, idempotency_key)
);
create table baseline.order_lines (
  order_id   uuid not null,
  line       smallint not null,
  product_id text not null,
  quantity   integer not null,
  primary key (order_id, line)
);
create table baseline.order_events (
  order_id uuid not null,
  seq      smallint not null,
  status   text not null,
  at       timestamptz not null default now(),
  primary key (order_id, seq)
);

-- name: put_stock
insert into baseline.stock (product_id, stock) values ($1, $2);

-- name: reserve
with taken as (
  update baseline.stock set stock = stock - $2, reserved = reserved + $2
  where product_id = $1 and stock >= $2
  returning product_id
), placed as (
  insert into baseline.orders (order_id, customer_id, idempotency_key, status)
  select $3, $4, $5, 'confirmed' from taken
), lined as (
  insert into baseline.order_lines (order_id, line, product_id, quantity)
  select $3, 1, product_id, $2 from taken
), told as (
  insert into baseline.order_events (order_id, seq, status)
  select $3, 1, 'confirmed' from taken
)
select count(*) from taken;

-- name: drop_tables
drop schema baseline cascade;
