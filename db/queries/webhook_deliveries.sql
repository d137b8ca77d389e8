-- Deliveries of webhooks: the queue of each endpoint, and the log.

-- name: fan_out
-- Each event to every endpoint that wants it, in the outbox's order. An event that an endpoint has is not given twice.
insert into webhook_deliveries (webhook_id, event_id, type, subject, position, order_id, at)
select w.webhook_id, e.event_id, e.type, e.subject, e.position, e.order_id, e.at
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::uuid[], $6::timestamptz[])
    with ordinality as e (event_id, type, subject, position, order_id, at, place)
  cross join webhooks w
  where w.state in ('active', 'paused') and e.at >= w.events_from and (w.events is null or e.type = any(w.events))
  order by e.place, w.webhook_id
on conflict (webhook_id, event_id) do nothing;

-- name: fan_out_again
-- A replay: to one endpoint, also what it has had. What is open stays as it is.
insert into webhook_deliveries as d (webhook_id, event_id, type, subject, position, order_id, at)
select w.webhook_id, e.event_id, e.type, e.subject, e.position, e.order_id, e.at
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::uuid[], $6::timestamptz[])
    with ordinality as e (event_id, type, subject, position, order_id, at, place)
  cross join webhooks w
  where w.webhook_id = $7 and w.state <> 'deleted' and (w.events is null or e.type = any(w.events))
  order by e.place
on conflict (webhook_id, event_id) do update
  set state = 'due', due_at = clock_timestamp(), attempts = 0, first_tried_at = null, tried_at = null,
      finished_at = null, died_at = null, status_code = null, error = null, discard_reason = null
  where d.state not in ('due', 'waiting');

-- name: any_due
-- The first by the index, not `exists`, which may scan the table.
select coalesce((
  select true
    from webhooks w
    cross join lateral (
      select from webhook_deliveries d
        where d.webhook_id = w.webhook_id and d.state = 'due' and d.due_at <= case
          when w.state = 'active' and coalesce(w.retry_at <= statement_timestamp(), true) then statement_timestamp()
          else '-infinity' end
        order by d.due_at
        limit 1
    ) d
    where w.state <> 'deleted'
    limit 1
), false);

-- name: due
-- The next of each endpoint; `blocked` when an earlier one of its subject is open.
select d.delivery_id, d.webhook_id, d.event_id, d.type, d.subject, d.position, d.order_id, d.at, d.attempts, d.body,
       extract(epoch from clock_timestamp() - coalesce(d.first_tried_at, clock_timestamp()))::float8 as tried_for_s,
       (
         select true from webhook_deliveries e
           where e.webhook_id = d.webhook_id and e.subject = d.subject and e.position < d.position
             and e.state in ('due', 'waiting')
           order by e.position
           limit 1
       ) is not null as blocked
  from unnest($1::bigint[], $2::integer[], $3::boolean[]) as w (webhook_id, most, tests_alone)
  cross join lateral (
    select * from webhook_deliveries q
      where q.webhook_id = w.webhook_id and q.state = 'due'
        and q.due_at <= case when w.tests_alone then '-infinity' else statement_timestamp() end
      order by q.due_at, q.delivery_id
      limit w.most
  ) d;

-- name: park
-- Blocked by an earlier one of their subject, whose end makes them due again.
update webhook_deliveries set state = 'waiting' where delivery_id = any($1::bigint[]) and state = 'due';

-- name: finish
-- What came of attempts. One that ops discarded meanwhile stays so.
update webhook_deliveries d
  set state = r.state, attempts = d.attempts + 1, tried_at = clock_timestamp(),
      first_tried_at = coalesce(d.first_tried_at, clock_timestamp()),
      due_at = case when r.state = 'due' then clock_timestamp() + make_interval(secs => r.again_s) else d.due_at end,
      finished_at = case when r.state <> 'due' then clock_timestamp() end,
      died_at = case when r.state = 'dead' then clock_timestamp() else d.died_at end,
      status_code = r.status_code, error = r.error, body = r.body
  from unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::float8[], $6::text[])
    as r (delivery_id, state, status_code, error, again_s, body)
  where d.delivery_id = r.delivery_id and d.delivery_id = any($1::bigint[]) and d.state = 'due';

-- name: let_next_go
-- The next of each subject, now that the one before it has ended.
update webhook_deliveries
  set state = 'due', due_at = clock_timestamp()
  where state = 'waiting' and delivery_id = any(array(
    select n.delivery_id
      from unnest($1::bigint[], $2::text[]) as f (webhook_id, subject)
      cross join lateral (
        select delivery_id from webhook_deliveries w
          where w.webhook_id = f.webhook_id and w.subject = f.subject and w.state in ('due', 'waiting')
          order by w.position
          limit 1
      ) n
  ));

-- name: send_at_once
-- After an endpoint was resumed: what waits for its next attempt waits no longer.
update webhook_deliveries set due_at = clock_timestamp()
  where webhook_id = $1 and state = 'due' and due_at > clock_timestamp();

-- name: add_test
insert into webhook_deliveries (webhook_id, event_id, type, subject, position, at, due_at)
values ($1, $2, 'webhook.test', $2, 1, clock_timestamp(), '-infinity')
returning delivery_id;

-- name: list_log
-- Newest first.
select delivery_id, webhook_id, event_id, type, at, state, attempts, status_code, error, tried_at, finished_at,
       case when state = 'due' and due_at > '-infinity' then due_at end as next_try_at
  from webhook_deliveries
  where webhook_id = $1 and delivery_id < coalesce($2::bigint, 9223372036854775807)
    and ($3::text is null or state = $3)
  order by webhook_id desc, delivery_id desc
  limit $4;

-- name: forget_log
-- Ended long ago. Dead letters stay until a person has dealt with them.
delete from webhook_deliveries where delivery_id = any(array(
  select delivery_id from webhook_deliveries
    where state in ('delivered', 'discarded') and finished_at < clock_timestamp() - make_interval(secs => $1::float8)
    order by finished_at
    limit $2
));

-- name: forget_deliveries_of
delete from webhook_deliveries where delivery_id = any(array(
  select delivery_id from webhook_deliveries where webhook_id = $1 order by delivery_id limit $2
));

-- name: oldest_due
-- Of each endpoint: how old the oldest event is that is due there, as it comes next, and how many were given up, as far
-- as it is worth counting.
select w.webhook_id, w.state, (
    select extract(epoch from clock_timestamp() - d.at)::float8
      from webhook_deliveries d
      where d.webhook_id = w.webhook_id and d.state = 'due'
      order by d.due_at, d.delivery_id
      limit 1
  ) as age_s, (
    select count(*) from (
      select from webhook_deliveries d where d.webhook_id = w.webhook_id and d.state = 'dead' limit 1000
    ) as dead
  ) as dead
  from webhooks w
  where w.state <> 'deleted'
  order by w.webhook_id;

-- name: list_letters
-- Deliveries that were given up, newest first: of any order, of a sale's, of a customer's.
select d.delivery_id, d.webhook_id, w.url, d.event_id, d.type, d.order_id, d.at, d.attempts, d.status_code, d.error, d.body,
       d.created_at, d.died_at, d.finished_at, d.discard_reason, d.state
  from webhook_deliveries d
  cross join lateral (select url from webhooks w where w.webhook_id = d.webhook_id and w.state <> 'deleted' limit 1) w
  where d.died_at is not null and d.state = any($4::text[])
    and d.delivery_id < coalesce($1::bigint, 9223372036854775807)
    and ($2::text is null and $3::text is null or (
      select ($3::text is null or o.customer_id = $3)
             and ($2::text is null or o.sale_number = (select sale_number from sales where sale_id = $2))
        from orders o where o.order_id = d.order_id limit 1))
  order by d.delivery_id desc
  limit $5;

-- name: read_letter
select d.delivery_id, d.webhook_id, w.url, d.event_id, d.type, d.order_id, d.at, d.attempts, d.status_code, d.error, d.body,
       d.created_at, d.died_at, d.finished_at, d.discard_reason, d.state
  from webhook_deliveries d
  cross join lateral (select url from webhooks w where w.webhook_id = d.webhook_id and w.state <> 'deleted' limit 1) w
  where d.delivery_id = $1 and d.died_at is not null;

-- name: retry_letter
-- By its key: `coalesce` keeps the plan from the index of all that were given up.
update webhook_deliveries
  set state = 'due', due_at = clock_timestamp(), first_tried_at = null, finished_at = null
  where delivery_id = $1 and coalesce(state, '') = 'dead'
returning delivery_id;

-- name: discard_letter
-- As above.
update webhook_deliveries
  set state = 'discarded', discard_reason = $2, finished_at = clock_timestamp()
  where delivery_id = $1 and coalesce(state, '') = 'dead'
returning delivery_id;
