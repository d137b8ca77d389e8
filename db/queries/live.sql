-- What ops watch while a sale goes on, asked once a second: index look-ups, whatever the tables hold.

-- name: products
-- The first $2 products of a sale: their ledger, and what the sale can still sell of them.
select sp.product_id, p.name, s.received, s.reserved, s.sold,
       least(s.stock, coalesce(sp.quantity - sp.taken, s.stock)) as units
  from (
    select product_id, quantity, taken from sale_products
      where sale_number = $1 order by list_position, product_id limit $2
  ) sp
  cross join lateral (select name from products i where i.product_id = sp.product_id limit 1) p
  left join lateral (select * from stock i where i.product_id = sp.product_id limit 1) s on true;

-- name: payments
-- Of a sale: payments to be asked for now, up to 10,000, and those asked for and never answered, up to 1,000.
select (
    select count(*) from (
      select from reservations
        where sale_number = $1 and partition = any($2::smallint[]) and due_at <= statement_timestamp()
        limit 10000
    ) as due
  ) as due,
  (
    select count(*) from (
      select order_id from reservations where attempts > 0 and sale_number = $1 order by expires_at limit 1000
    ) r
    where (select payment is null from orders o where o.order_id = r.order_id limit 1)
  ) as failing;

-- name: snapshot
-- Below which transaction everything is over: what they wrote can be counted once and for all.
select pg_snapshot_xmin(pg_current_snapshot())::text;

-- name: confirmed
-- Orders of a sale confirmed by transactions from $1 up to, not with, $2; ids of the sale's orders lie from $3 to $4.
-- Of the first 200,000 events alone; `events` says how many there were.
select count(*) as events,
       count(*) filter (
         where e.order_id between $3 and $4 and e.status = 'confirmed' and e.kind is null
       ) as confirmed
  from (
    select order_id, status, kind from real.order_events
      where tx >= $1::text::xid8 and tx < $2::text::xid8
      order by tx, position
      limit 200000
  ) e;

-- name: failed_operations
-- What the payment provider refused for good and nobody has dealt with, up to 10,000.
select count(*) from (
  select from real.payment_operations where state = 'failed' order by operation_id limit 10000
) as failed;
