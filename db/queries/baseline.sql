-- What a shop would write first: one statement reserves one order, on tables of its own. And what it would write next: a
-- table of jobs, an order each, that workers take with `skip locked`, as the queues that people install do. The load tests
-- measure Doorbuster against both, and against a queue that hands out batches as PgQ does (loadtests/rivals/baseline.py,
-- queue.py and batch_queue.py); nothing else runs these.

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
create table baseline.jobs (
  job_id          bigint generated always as identity primary key,
  order_id        uuid not null,
  customer_id     text not null,
  idempotency_key text not null,
  product_id      text not null,
  quantity        integer not null,
  unique (customer_id, idempotency_key)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
-- The queue of batches, after PgQ: events are only ever added, ticks are snapshots, and what came between two of them is a
-- batch. What PgQ does besides (rotating its tables, a procedure around each step, several consumers) is left out.
create table baseline.events (
  event_id        bigint generated always as identity,
  tx              xid8 not null default pg_current_xact_id(),
  order_id        uuid not null,
  customer_id     text not null,
  idempotency_key text not null,
  product_id      text not null,
  quantity        integer not null
);
create index events_by_tx on baseline.events (tx);
create table baseline.consumer (
  tick pg_snapshot not null, -- up to which it is done
  done bigint not null       -- events
) with (fillfactor = 50);
insert into baseline.consumer values (pg_current_snapshot(), 0);

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

-- name: enqueue
insert into baseline.jobs (order_id, customer_id, idempotency_key, product_id, quantity) values ($1, $2, $3, $4, $5)
on conflict (customer_id, idempotency_key) do nothing;

-- name: work_off
-- Takes the first job that nobody has and does all of it: one statement, one transaction, one round trip a job.
with job as (
  delete from baseline.jobs
  where job_id = (select job_id from baseline.jobs order by job_id for update skip locked limit 1)
  returning order_id, customer_id, idempotency_key, product_id, quantity
), taken as (
  update baseline.stock set stock = stock - quantity, reserved = reserved + quantity
  from job
  where stock.product_id = job.product_id and stock >= quantity
  returning order_id, customer_id, idempotency_key, job.product_id, quantity
), placed as (
  insert into baseline.orders (order_id, customer_id, idempotency_key, status)
  select order_id, customer_id, idempotency_key, 'confirmed' from taken
), lined as (
  insert into baseline.order_lines (order_id, line, product_id, quantity)
  select order_id, 1, product_id, quantity from taken
), told as (
  insert into baseline.order_events (order_id, seq, status)
  select order_id, 1, 'confirmed' from taken
)
select count(*) from job;

-- name: jobs_left
select count(*) from baseline.jobs;

-- name: add_event
insert into baseline.events (order_id, customer_id, idempotency_key, product_id, quantity) values ($1, $2, $3, $4, $5);

-- name: tick
select pg_current_snapshot()::text;

-- name: next_batch
-- The events that the tick $1 sees and the consumer's last did not.
select product_id, quantity, order_id, customer_id, idempotency_key
  from baseline.events e, baseline.consumer c
  where e.tx >= pg_snapshot_xmin(c.tick) and e.tx < pg_snapshot_xmax($1::text::pg_snapshot)
    and pg_visible_in_snapshot(e.tx, $1::text::pg_snapshot) and not pg_visible_in_snapshot(e.tx, c.tick)
  order by e.event_id;

-- name: finish_batch
update baseline.consumer set tick = $1::text::pg_snapshot, done = done + $2;

-- name: events_left
select (select count(*) from baseline.events) - done from baseline.consumer;

-- name: drop_tables
drop schema baseline cascade;
