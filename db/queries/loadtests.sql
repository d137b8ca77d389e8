-- What load tests ask of the database after a run: was every accepted order worked off, how fast, and in what batches.

-- name: ask_alone
-- What a session asks costs itself and no helper, so that its cost can be told from everybody else's.
set max_parallel_workers_per_gather = 0;

-- name: number_of_sale
select sale_number from sales where sale_id = $1;

-- name: orders_of_sale
-- By the number itself: with a join the planner takes a sale among a few for a large part of all orders that are kept.
select count(*) as orders, count(*) filter (where status = 'pending') as pending,
       count(*) filter (where status = 'pending' and reason is not distinct from 'standby') as standing_by
  from orders
  where sale_number = $1;

-- name: outcomes_of_sale
select status::text as status, reason, count(*) as orders
  from orders join sales using (sale_number)
  where sale_id = $1
  group by 1, 2
  order by 3 desc;

-- name: stories_of_sale
-- Orders whose way was not straight.
with mine as (select order_id, status, reason from orders join sales using (sale_number) where sale_id = $1)
select
  (select count(*) from mine where reason = 'payment_declined') as declined,
  (select count(distinct order_id) from order_events join mine using (order_id) where kind = 'action_required') as acted,
  (select count(*) from mine where reason = 'hold_expired') as expired,
  (select count(distinct order_id) from standby join mine using (order_id) where served is not null) as served,
  (select count(*) from mine where reason = 'standby_ended') as unserved,
  (select count(*) from shipments join mine using (order_id)) as parcels,
  (select count(*) from refunds join mine using (order_id) where refunds.status = 'succeeded') as refunds,
  (select coalesce(sum(amount), 0)::bigint from refunds join mine using (order_id) where refunds.status = 'succeeded')
    as refunded;

-- name: some_confirmed
-- Confirmed orders of the sale, the first accepted first.
select order_id::text from orders join sales using (sale_number)
  where sale_id = $1 and status = 'confirmed' and captured > 0
  order by accepted_at, entry_seq
  limit $2;

-- name: make_answered
create temporary table answered (order_id uuid not null) on commit drop;

-- name: unaccounted
-- Orders that were answered 202 and are nowhere.
select count(*) from (select distinct order_id from answered) a
  where not exists (select from orders o where o.order_id = a.order_id);

-- name: distinct_answered
select count(distinct order_id) from answered;

-- name: seconds_to_final
-- From accepted to the event that confirmed or cancelled.
select extract(epoch from e.at - o.accepted_at)::float8 as seconds
  from orders o join sales using (sale_number) join order_events e using (order_id)
  where sale_id = $1 and e.seq = (
    select min(seq) from order_events f where f.order_id = o.order_id and f.status in ('confirmed', 'cancelled')
  );

-- name: late_outcomes
-- Of a sale's orders since $2: when the first was accepted, the longest that one waited for its final outcome, and when
-- the last was decided that had waited for longer than $3.
select min(o.accepted_at) as began, extract(epoch from max(e.at - o.accepted_at))::float8 as longest_s,
       max(e.at) filter (where e.at - o.accepted_at > $3) as late
  from orders o join sales using (sale_number) join order_events e using (order_id)
  where sale_id = $1 and o.accepted_at >= $2 and e.status in ('confirmed', 'cancelled');

-- name: batches
-- The drain's batches: every event of a batch carries the batch's time.
select e.at, count(*) as orders
  from order_events e join orders o using (order_id) join sales using (sale_number)
  where sale_id = $1 and e.seq = 1
  group by 1
  order by 1;

-- name: acceptances
-- When orders were accepted, by millisecond.
select accepted_at as at, count(*) as orders
  from orders join sales using (sale_number)
  where sale_id = $1
  group by 1
  order by 1;

-- name: span
select max(updated_at) - min(accepted_at) from orders join sales using (sale_number) where sale_id = $1;

-- name: ledger_of_sale
select s.product_id, s.received, s.stock, s.reserved, s.sold
  from stock s join sale_products using (product_id) join sales using (sale_number)
  where sale_id = $1
  order by s.product_id;

-- name: server_version
select current_setting('server_version');

-- name: pending_now
select count(*) from reservations join sales using (sale_number) where sale_id = $1;

-- name: database_bytes
select pg_database_size(current_database());

-- name: share_of_sale
-- Of a sale's orders by acceptance, $3 of them behind the first $2: how long from the first accepted to the last final.
select extract(epoch from max(updated_at) - min(accepted_at))::float8 as seconds
  from (
    select accepted_at, updated_at from orders join sales using (sale_number)
      where sale_id = $1
      order by accepted_at, entry_seq
      offset $2 limit $3
  ) as part;

-- name: share_of_confirmed
-- Of a sale's confirmed orders by when they were, $3 of them behind the first $2: how long from the first to the last.
select extract(epoch from max(updated_at) - min(updated_at))::float8 as seconds
  from (
    select updated_at from orders join sales using (sale_number)
      where sale_id = $1 and status = 'confirmed'
      order by updated_at
      offset $2 limit $3
  ) as part;

-- name: make_past_sale
with made as (
  insert into sales (sale_id, starts_at, ends_at, phase, closed_at)
  values ('past', now() - interval '2 days', now() - interval '1 day', 'closed', now() - interval '1 day')
  returning sale_number
),
sold as (
  insert into sale_products (sale_number, product_id, taken) select sale_number, 'past', $1::bigint from made
),
drained as (
  insert into stream_cursors (sale_number, partition, entry_id, drained)
  select sale_number, 0, '1-0', $1::bigint from made
),
product as (
  insert into products (product_id, name, brand, category, price, currency) values ('past', 'Past', '', '', 100, 'EUR')
  returning product_id
)
select sale_number from made, product;

-- name: make_past_stock
with moved as (
  insert into stock_movements (product_id, quantity, reason) values ('past', $1::bigint, 'past')
)
insert into stock (product_id, reserved, received) values ('past', $1::bigint, $1::bigint);

-- name: make_past_orders
-- Under ids as intakes make them: the sale's number, the partition, and what is as good as drawn.
insert into orders (order_id, sale_number, partition, entry_seq, version, status, accepted_at, updated_at, total, currency,
                    customer_id, fingerprint)
select (lpad(to_hex($2::integer), 6, '0') || '00' || substr(md5('past' || n), 9))::uuid, $2::integer, 0, n, 2,
       'confirmed', now() - interval '1 day', now() - interval '1 day', 100, 'EUR', 'past-' || n,
       '\x00000000000000000000000000000000'
  from generate_series(1, $1::bigint) as n;

-- name: make_past_lines
insert into order_lines (order_id, line, quantity, unit_price, product_id)
select order_id, 1, 1, 100, 'past' from orders where sale_number = $1;

-- name: make_past_events
insert into order_events (order_id, seq, status, at)
select order_id, seq, case seq when 1 then 'pending' else 'confirmed' end::order_status, now() - interval '1 day'
  from orders, generate_series(1, 2) as seq
  where sale_number = $1;

-- name: tell_past_events
insert into relay_cursors (relay, tx, position)
select 'events', max(tx), max(position) from order_events
on conflict (relay) do update set tx = excluded.tx, position = excluded.position;

-- name: analyse_past
vacuum analyze;

-- name: write_past
-- To disk now, and not while something is measured.
checkpoint;

-- name: event_span
-- A sale's events: how many, and seconds from the first until the last was written, and until now.
select count(*) as events, extract(epoch from max(e.at) - min(e.at))::float8 as wrote_s,
       extract(epoch from clock_timestamp() - min(e.at))::float8 as until_now_s
  from order_events e join orders o using (order_id) join sales using (sale_number)
  where sale_id = $1;

-- name: delivered
-- Deliveries to webhooks that were taken, and seconds from the first of them to the last.
select count(*) as delivered, extract(epoch from max(finished_at) - min(finished_at))::float8 as took_s
  from webhook_deliveries
  where state = 'delivered';

-- name: make_shelf
-- Products for sales that grow, with more units than any run sells; no cache has them, so nobody is to be told.
with made as (
  insert into products (product_id, name, brand, category, price, currency)
  select 'growth-' || n, 'Growth ' || n, '', '', 100, 'EUR' from generate_series(1, $1::integer) as n
  returning product_id
)
select count(*) from made;

-- name: stock_shelf
with moved as (
  insert into stock_movements (product_id, quantity, reason)
  select product_id, 10000000, 'growth' from products where product_id like 'growth-%'
),
told as (
  delete from product_changes where product_id like 'growth-%'
)
insert into stock (product_id, stock, received)
select product_id, 10000000, 10000000 from products where product_id like 'growth-%';

-- name: put_on_sale
-- The sale sells 'growth-1' already: the others are sold on its terms, up to the $2-th.
with sold as (
  insert into sale_products (sale_number, product_id, limit_email, limit_card, limit_address, limit_device, list_position)
  select s.sale_number, 'growth-' || n, p.limit_email, p.limit_card, p.limit_address, p.limit_device, n
    from sales s
    join sale_products p on p.sale_number = s.sale_number and p.product_id = 'growth-1',
    generate_series(2, $2::integer) as n
    where s.sale_id = $1
)
update sales set version = version + 1 where sale_id = $1;

-- name: is_vacuumed_now
select exists (select from pg_stat_activity where backend_type = 'autovacuum worker');

-- name: shift_holders
-- Which process holds each shift: host and process.
select name, holder from shifts where holder <> '' and lease_expires_at > now();

-- name: shift_sessions
-- The sessions of the shifts, by the shift's name.
select s.name, a.pid
  from pg_stat_activity a join shifts s on a.application_name = 'doorbuster-' || s.name
  where a.backend_type = 'client backend' and s.holder <> '' and s.lease_expires_at > now();

-- name: log_written
-- Bytes of write-ahead log that were ever written.
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8;
