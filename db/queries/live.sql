-- What ops watch while sales go on, asked once a second for all that are watched: index look-ups, whatever the tables hold.

-- name: sales
-- Of each of these sales: the last entry drained in each partition; payments to be asked for now, up to 10,000, and those
-- asked for and never answered, up to 1,000; its newest pre-warm. Of all of them: below which transaction everything is
-- over, so that what they wrote can be counted once and for all; what the payment provider refused for good and nobody has
-- dealt with, up to 10,000.
select w.sale_number,
  (select jsonb_object_agg(c.partition, c.entry_id) from stream_cursors c where c.sale_number = w.sale_number) as cursors,
  (
    select count(*) from (
      select from reservations r
        where r.sale_number = w.sale_number and r.partition = any(array(select generate_series(0, w.partitions - 1)::smallint))
          and r.due_at <= statement_timestamp()
        limit 10000
    ) as due
  ) as due,
  (
    select count(*) from (
      select order_id from reservations r
        where r.attempts > 0 and r.sale_number = w.sale_number order by r.expires_at limit 1000
    ) a
    where (select payment is null from orders o where o.order_id = a.order_id limit 1)
  ) as failing,
  v.at, v.go, v.checks,
  pg_snapshot_xmin(pg_current_snapshot())::text as below,
  (
    select count(*) from (
      select from real.payment_operations where state = 'failed' order by operation_id limit 10000
    ) as failed
  ) as failed_operations
  from unnest($1::integer[], $2::integer[]) as w (sale_number, partitions)
  left join lateral (
    select at, go, checks from prewarm_reports r where r.sale_number = w.sale_number order by report_id desc limit 1
  ) v on true;

-- name: products
-- The first $2 products of each of these sales: their ledger, and what the sale can still sell of them.
select w.sale_number, sp.product_id, p.name, s.received, s.reserved, s.sold,
       least(s.stock, coalesce(sp.quantity - sp.taken, s.stock)) as units
  from unnest($1::integer[]) as w (sale_number)
  cross join lateral (
    select product_id, quantity, taken, list_position from sale_products i
      where i.sale_number = w.sale_number order by list_position, product_id limit $2
  ) sp
  cross join lateral (select name from products i where i.product_id = sp.product_id limit 1) p
  left join lateral (select * from stock i where i.product_id = sp.product_id limit 1) s on true
  order by w.sale_number, sp.list_position, sp.product_id;

-- name: confirmed
-- Orders of each of these sales confirmed by transactions from $1 up to, not with, $2; ids of a sale's orders lie from
-- `first` to `last`. Of the first 200,000 events alone; `events` says how many there were.
with happened as materialized (
  select order_id, status, kind from real.order_events
    where tx >= $1::text::xid8 and tx < $2::text::xid8
    order by tx, position
    limit 200000
)
select w.sale_number, (select count(*) from happened) as events,
  (
    select count(*) from happened h
      where h.order_id between w.first and w.last and h.status = 'confirmed' and h.kind is null
  ) as confirmed
  from unnest($3::integer[], $4::uuid[], $5::uuid[]) as w (sale_number, first, last);
