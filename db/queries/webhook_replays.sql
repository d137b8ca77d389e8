-- Replays: events that an endpoint gets once more, walked through in the order of their outboxes.

-- name: add
insert into webhook_replays (webhook_id, since, until, order_id, source)
select $1, $2, coalesce($3, clock_timestamp()), $4, source
  from unnest($5::text[]) as source
returning until;

-- name: next
select replay_id, webhook_id, since, until, order_id, source, tx::text::bigint as tx, position
  from webhook_replays
  order by replay_id
  limit 1;

-- name: advance
update webhook_replays set tx = $2::text::xid8, position = $3 where replay_id = $1;

-- name: end
delete from webhook_replays where replay_id = $1;

-- name: walk_orders
-- As the relay reads them: the events of all orders, of which the caller picks by time.
select e.order_id, e.seq, e.status, e.at, e.reason, e.kind, e.position, e.tx
  from real.order_events e
  where (e.tx, e.position) > ($1::text::xid8, $2) and e.tx < pg_snapshot_xmin(pg_current_snapshot())
  order by e.tx, e.position
  limit $3;

-- name: of_order
select e.order_id, e.seq, e.status, e.at, e.reason, e.kind, e.position, e.tx
  from real.order_events e
  where e.order_id = $1
  order by e.seq;

-- name: any
select coalesce((select true from webhook_replays order by replay_id limit 1), false);
