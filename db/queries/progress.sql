-- How late each stage behind the intake is: index look-ups, whatever the tables hold.

-- name: oldest_payments
-- Of each partition, since when its oldest payment is due, asked for or not; null: none is.
select w.sale_number, w.partition, (
    select extract(epoch from clock_timestamp() - r.due_at)::float8
      from reservations r
      where r.sale_number = w.sale_number and r.partition = w.partition and r.due_at <= statement_timestamp()
      order by r.due_at
      limit 1
  ) as age_s
  from unnest($1::integer[], $2::smallint[]) as w (sale_number, partition);

-- name: oldest_event
-- Of the outbox of orders, behind a relay's cursor; null: all is published. One that waits for an open transaction counts.
select extract(epoch from clock_timestamp() - e.at)::float8
  from real.order_events e
  where (e.tx, e.position) > (
    coalesce((select c.tx from relay_cursors c where relay = $1), '0'::xid8),
    coalesce((select c.position from relay_cursors c where relay = $1), 0)
  )
  order by e.tx, e.position
  limit 1;

-- name: oldest_change
-- Of the outbox of the catalogue, as above.
select extract(epoch from clock_timestamp() - e.at)::float8
  from product_changes e
  where (e.tx, e.position) > (
    coalesce((select c.tx from relay_cursors c where relay = $1), '0'::xid8),
    coalesce((select c.position from relay_cursors c where relay = $1), 0)
  )
  order by e.tx, e.position
  limit 1;

-- name: limited_shifts
-- Shifts of the last minute that take less at a time than they could, or whose gateway bounds them or is left alone; not
-- those of shadows.
select name, batch_max, payments_per_s,
       case when payments_paused_until > clock_timestamp() then payments_paused end as payments_paused
  from shifts
  where not coalesce(is_shadow(nullif(split_part(name, ':', 2), '')::integer), false)
    and (batch_max is not null or payments_per_s is not null or payments_paused_until > clock_timestamp())
    and lease_expires_at > clock_timestamp() - interval '1 minute';
