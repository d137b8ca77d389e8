-- What load tests ask of the database after a run: was every accepted order worked off, how fast, and in what batches.

-- name: orders_of_sale
select count(*) as orders, count(*) filter (where status = 'pending') as pending
  from orders join sales using (sale_number)
  where sale_id = $1;

-- name: outcomes_of_sale
select status::text as status, reason, count(*) as orders
  from orders join sales using (sale_number)
  where sale_id = $1
  group by 1, 2
  order by 3 desc;

-- name: make_answered
create temporary table answered (order_id uuid not null);

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
