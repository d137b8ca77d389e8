-- name: read_relay_cursor
select tx::text::bigint as tx, position from relay_cursors where relay = $1;

-- name: place_of_event
select tx::text::bigint as tx, position from order_events where order_id = $1 and seq = $2;

-- name: unpublished
-- Behind the cursor and below every transaction still open, so that a late commit is never passed over. Nothing of shadows.
select e.order_id, e.seq, e.status, e.at, e.reason, e.kind, e.position, e.tx
  from real.order_events e
  where (e.tx, e.position) > ($1::text::xid8, $2) and e.tx < pg_snapshot_xmin(pg_current_snapshot())
  order by e.tx, e.position
  limit $3;

-- name: any_unpublished
-- The first by the index, not `exists`: that may scan the table, and does so in full when there is nothing.
select coalesce((
  select true from real.order_events e
    where (e.tx, e.position) > (
      coalesce((select c.tx from relay_cursors c where relay = $1), '0'::xid8),
      coalesce((select c.position from relay_cursors c where relay = $1), 0)
    )
    and e.tx < pg_snapshot_xmin(pg_current_snapshot())
    order by e.tx, e.position
    limit 1
), false);

-- name: unpublished_of_shadows
-- The same of shadows alone, by an index of their own.
select e.order_id, e.seq, e.status, e.at, e.reason, e.kind, e.position, e.tx
  from order_events e
  where is_shadow_order(e.order_id)
    and (e.tx, e.position) > ($1::text::xid8, $2) and e.tx < pg_snapshot_xmin(pg_current_snapshot())
  order by e.tx, e.position
  limit $3;

-- name: newest_of_shadows
-- The last event of a shadow, and how long ago it was written.
select e.tx::text::bigint as tx, e.position, extract(epoch from clock_timestamp() - e.at)::float8 as age_s
  from order_events e
  where is_shadow_order(e.order_id)
  order by e.tx desc, e.position desc
  limit 1;

-- name: advance_relay
insert into relay_cursors (relay, tx, position) values ($1, $2::text::xid8, $3)
on conflict (relay) do update set tx = excluded.tx, position = excluded.position;
