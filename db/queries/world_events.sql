-- What happens beside orders and is told: of sales and products.

-- name: announce
-- Whoever sees it first; the id makes it one.
insert into world_events (event_id, type, subject, data)
select e.event_id, e.type, e.subject, e.data
  from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[]) as e (event_id, type, subject, data)
on conflict (event_id) do nothing;

-- name: sales_by
-- Sales as their events tell of them, and what has happened to each; ended or closed ones too, never a shadow.
select sale_number, sale_id, name, phase, starts_at, ends_at, timeline, terms_at, statement_timestamp() as at,
       starts_at <= case when over then coalesce(closed_at, least(plan_closes_at, ends_at)) else statement_timestamp() end
         as has_started,
       over as has_closed
  from real.planned_sales
  cross join lateral (
    select phase = 'closed' or coalesce(least(plan_closes_at, ends_at) <= statement_timestamp(), false) as over
  ) o
  where sale_number = any($1::integer[])
  order by sale_number;

-- name: untold
-- Behind the cursor and below every transaction still open, so that a late commit is never passed over.
select e.event_id, e.type, e.subject, e.at, e.position, e.tx::text::bigint as tx
  from world_events e
  where (e.tx, e.position) > ($1::text::xid8, $2) and e.tx < pg_snapshot_xmin(pg_current_snapshot())
  order by e.tx, e.position
  limit $3;

-- name: any_untold
select coalesce((
  select true from world_events e
    where (e.tx, e.position) > (
      coalesce((select c.tx from relay_cursors c where relay = $1), '0'::xid8),
      coalesce((select c.position from relay_cursors c where relay = $1), 0)
    )
    and e.tx < pg_snapshot_xmin(pg_current_snapshot())
    order by e.tx, e.position
    limit 1
), false);

-- name: data_of
select event_id, data from world_events where event_id = any($1::text[]);

-- name: forget
-- Of products alone, which are many; what is told of a sale once is remembered as long as the sale.
delete from world_events where event_id = any(array(
  select event_id from world_events
    where type = 'product.changed' and (tx, position) <= (
      select c.tx, c.position from relay_cursors c where c.relay = $1
    ) and at < clock_timestamp() - make_interval(secs => $2::float8)
    order by tx, position
    limit $3
));

-- name: products_by
select product_id, version, name, brand, category, price, currency, active, updated_at
  from real.products
  where product_id = any($1::text[]);
