-- Endpoints of webhooks. There are at most a few hundred.

-- name: create
-- No row: there are too many already.
insert into webhooks (url, events, description, secret)
select $1, $2, $3, $4
  where (select count(*) from webhooks where state <> 'deleted') < $5::bigint
returning *;

-- name: lock_endpoints
-- One change at a time of which endpoints there are.
select webhook_id from webhooks order by webhook_id for update;

-- name: begin_cursors
-- The first endpoint that is told begins now: what is behind an open transaction comes still.
insert into relay_cursors (relay, tx, position)
select name, pg_snapshot_xmin(pg_current_snapshot()), 0
  from unnest($1::text[]) as name
  where not exists (select from webhooks where state in ('active', 'paused'))
on conflict (relay) do update
  set tx = excluded.tx, position = excluded.position
  where (relay_cursors.tx, relay_cursors.position) < (excluded.tx, excluded.position);

-- name: list
-- Newest first.
select * from webhooks
  where state <> 'deleted' and webhook_id < coalesce($1::bigint, 9223372036854775807)
  order by webhook_id desc
  limit $2;

-- name: read
select * from webhooks where webhook_id = $1 and state <> 'deleted';

-- name: hold_webhook
select webhook_id from webhooks where webhook_id = $1 and state <> 'deleted' for update;

-- name: delete
-- The row goes when its deliveries are gone.
update webhooks
  set state = 'deleted', secret = '', former_secret = null, former_until = null
  where webhook_id = $1 and state <> 'deleted'
returning webhook_id;

-- name: rotate
update webhooks
  set former_secret = secret, former_until = clock_timestamp() + make_interval(secs => $3::float8), secret = $2
  where webhook_id = $1
returning former_until;

-- name: resume
update webhooks
  set state = 'active', state_reason = null, failures = 0, retry_at = null,
      events_from = case when state = 'disabled' then clock_timestamp() else events_from end
  where webhook_id = $1
returning *;

-- name: sending
-- Every endpoint that something may be sent to: those that are not active get tests alone.
select webhook_id, url, secret, case when former_until > clock_timestamp() then former_secret end as former_secret,
       state = 'active' and coalesce(retry_at <= clock_timestamp(), true) as ready,
       failures
  from webhooks
  where state <> 'deleted'
  order by webhook_id;

-- name: any_told
select coalesce((select true from webhooks where state in ('active', 'paused') order by webhook_id limit 1), false);

-- name: note_attempts
-- What the shift saw of an endpoint. One that ops changed meanwhile stays as they made it.
update webhooks
  set failures = $2, retry_at = clock_timestamp() + make_interval(secs => $3::float8), state = $4, state_reason = $5
  where webhook_id = $1 and state = 'active';

-- name: deleted
select webhook_id from webhooks where state = 'deleted' order by webhook_id;

-- name: forget_endpoint
-- When nothing of it is left.
delete from webhooks w
  where webhook_id = $1 and state = 'deleted'
    and (select true from webhook_deliveries d where d.webhook_id = w.webhook_id order by delivery_id limit 1) is null;

-- name: any_wants
-- Whether any endpoint is told of a type.
select coalesce((
  select true from webhooks
    where state in ('active', 'paused') and (events is null or $1 = any(events))
    order by webhook_id limit 1
), false);
