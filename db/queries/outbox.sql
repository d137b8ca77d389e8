-- name: read_relay_cursor
select tx::text::bigint as tx, position from relay_cursors where relay = $1;

-- name: unpublished
-- Behind the cursor and below every transaction still open, so that a late commit is never passed over.
select order_id, seq, status::text as status, at, reason, position, tx::text::bigint as tx
  from order_events
  where (tx, position) > ($1::text::xid8, $2) and tx < pg_snapshot_xmin(pg_current_snapshot())
  order by tx, position
  limit $3;

-- name: any_unpublished
select exists (
  select from order_events e
    where (e.tx, e.position) > (
      coalesce((select c.tx from relay_cursors c where relay = $1), '0'::xid8),
      coalesce((select c.position from relay_cursors c where relay = $1), 0)
    )
    and e.tx < pg_snapshot_xmin(pg_current_snapshot())
);

-- name: advance_relay
insert into relay_cursors (relay, tx, position) values ($1, $2::text::xid8, $3)
on conflict (relay) do update set tx = excluded.tx, position = excluded.position;
