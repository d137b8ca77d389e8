-- name: queue_once
-- One that is due already is not put there again.
insert into payment_operations (order_id, kind, due_at)
select order_id, $2, clock_timestamp() + make_interval(secs => $3::float8) from unnest($1::uuid[]) as o (order_id)
on conflict (order_id, kind) where state = 'due' and kind in ('void', 'look_up') do nothing;

-- name: queue_capture
insert into payment_operations (order_id, kind, amount, shipment_id) values ($1, 'capture', $2, $3);

-- name: queue_refund
insert into payment_operations (order_id, kind, amount, refund_id) values ($1, 'refund', $2, $3);
