-- Orders' money, and the queue of what is to be done at the payment provider.

-- name: queue_once
-- One that is due already is not put there again; it may become due sooner.
insert into payment_operations as p (order_id, kind, due_at)
select order_id, $2, clock_timestamp() + make_interval(secs => $3::float8)
  from (select distinct order_id from unnest($1::uuid[]) as o (order_id)) as o
  order by order_id
on conflict (order_id, kind) where state = 'due' and kind in ('void', 'look_up')
  do update set due_at = least(p.due_at, excluded.due_at);

-- name: keep_payment
-- The order is served after all: what was queued to let its money go would take it from under the goods.
delete from payment_operations where order_id = $1 and kind = 'void' and state = 'due';

-- name: queue_capture
insert into payment_operations (order_id, kind, amount, shipment_id) values ($1, 'capture', $2, $3);

-- name: queue_refund
insert into payment_operations (order_id, kind, amount, refund_id) values ($1, 'refund', $2, $3);

-- name: queue_refund_of_rest
-- Money that an order has no right to: told as any refund is.
with moved as (
  update orders set version = version + 1, updated_at = clock_timestamp() where order_id = $1
  returning order_id, version, status, updated_at
),
told as (
  insert into order_events (order_id, seq, status, at, reason, kind)
  select order_id, version, status, updated_at, $3, 'refund' from moved
),
refund as (
  insert into refunds (refund_id, order_id, seq, amount, reason)
  select gen_random_uuid(), order_id, version, $2, $3 from moved
  returning refund_id, order_id
)
insert into payment_operations (order_id, kind, amount, refund_id)
select order_id, 'refund', $2, refund_id from refund;

-- name: due_operations
-- Work for the money shift, oldest first, behind ($1, $2): what it has in flight is not read again. Of an order's captures,
-- and of its refunds, one comes after the other: what the provider has is told apart by how much of each is done.
select operation_id, order_id, kind, amount, attempts, due_at,
       case when attempts > 0 then (
         select coalesce(sum(amount) filter (where state = 'done'), 0)::bigint from payment_operations q
           where q.order_id = p.order_id and q.kind = p.kind
       ) else 0 end as done_before
  from payment_operations p
  where state = 'due' and due_at <= statement_timestamp() and (due_at, operation_id) > ($1, $2)
    and (kind not in ('capture', 'refund') or (
      select bool_or(q.state = 'due') from payment_operations q
        where q.order_id = p.order_id and q.kind = p.kind and q.operation_id < p.operation_id
    ) is not true)
  order by due_at, operation_id
  limit $3;

-- name: any_due
select exists (
  select from payment_operations where state = 'due' and due_at <= statement_timestamp() order by due_at limit 1
);

-- name: lock_orders
select order_id from orders where order_id = any($1::uuid[]) order by order_id for update;

-- name: money_of
-- All that a decision about an order's money needs. `kept` is what its lines cost that are neither cancelled nor returned;
-- `open_units` have neither left nor been cancelled. $2: the operations that were done just now.
select o.order_id, o.status::text as status, o.reason, o.total, o.currency, o.payment_token, o.payment::text as payment,
       o.authorised, coalesce(o.captured, 0) as captured, coalesce(o.refunded, 0) as refunded,
       o.payment_reference as reference, o.accepted_at,
       (select s.payment::text from sales s where s.sale_number = o.sale_number) as mode,
       coalesce((select true from sale_products sp
                   where sp.sale_number = o.sale_number and sp.limit_card is not null limit 1), false) as card_limited,
       h.attempts, h.expired, h.extended, l.kept, l.open_units, p.refunding, p.capturing, p.voiding,
       coalesce(o.paid_elsewhere, false) as paid_elsewhere,
       coalesce((select bool_or(v.decided_at is not null) from payment_operations v
                   where v.order_id = o.order_id and v.kind = 'void' and v.state in ('due', 'done')), false) as letting_go
  from orders o
  left join lateral (
    select attempts, expires_at <= clock_timestamp() as expired, coalesce(extended, false) as extended
      from reservations r where r.order_id = o.order_id limit 1
  ) h on true
  cross join lateral (
    select coalesce(sum(unit_price * (quantity - coalesce(cancelled, 0) - coalesce(returned, 0))), 0)::bigint as kept,
           coalesce(sum(quantity - coalesce(cancelled, 0) - coalesce(shipped, 0)), 0)::bigint as open_units
      from order_lines l where l.order_id = o.order_id
  ) l
  cross join lateral (
    select coalesce(sum(amount) filter (where kind = 'refund'), 0)::bigint as refunding,
           coalesce(sum(amount) filter (where kind = 'capture'), 0)::bigint as capturing,
           coalesce(bool_or(kind = 'void'), false) as voiding
      from payment_operations p
      where p.order_id = o.order_id and p.state <> 'done' and p.operation_id <> all($2::bigint[])
  ) p
  where o.order_id = any($1::uuid[]);

-- name: note_payment
update orders
  set payment = coalesce($2::text::payment_status, payment), authorised = $3, captured = nullif($4::bigint, 0),
      refunded = nullif($5::bigint, 0), payment_reference = coalesce($6, payment_reference),
      next_action = case when $2 = 'requires_action' then next_action end
  where order_id = $1;

-- name: finish_operation
with done as (
  update payment_operations set state = $2, finished_at = clock_timestamp(), detail = $3, attempts = attempts + 1
    where operation_id = $1 and state = 'due'
  returning refund_id, state
)
update refunds
  set status = (select case state when 'done' then 'succeeded' else 'failed' end from done)
  where refund_id = (select refund_id from done);

-- name: decide_voids
-- From now on these may be on their way, whoever sends them, however late. Not of an order that was served meanwhile: its
-- void is not there any more.
with locked as (
  select order_id from orders where order_id = any($2::uuid[]) order by order_id for update
)
update payment_operations set decided_at = coalesce(decided_at, clock_timestamp())
  where operation_id = any($1::bigint[]) and state = 'due' and order_id = any(array(select order_id from locked))
returning operation_id;

-- name: put_off_operation
update payment_operations
  set attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => $2::float8), detail = $3
  where operation_id = $1 and state = 'due';

-- name: open_operations
-- How many wait, as far as it is worth counting, since when the oldest is due, and how many failed for good.
select (select count(*) from (select from real.payment_operations where state = 'due' order by due_at limit 10000) as due) as due,
       (select extract(epoch from clock_timestamp() - due_at)::float8 from real.payment_operations
          where state = 'due' order by due_at limit 1) as oldest_s,
       (select count(*) from (
          select from real.payment_operations where state = 'failed' order by operation_id limit 10000) as failed) as failed;

-- name: list_failed
-- Operations that the provider will not do, newest first, below $1.
select operation_id, order_id, kind, amount, attempts, created_at, finished_at, detail, state, discard_reason
  from real.payment_operations
  where state = 'failed' and operation_id < coalesce($1::bigint, 9223372036854775807)
  order by operation_id desc
  limit $2;

-- name: read_failed
select operation_id, order_id, kind, amount, attempts, created_at, finished_at, detail, state, discard_reason
  from payment_operations where operation_id = $1 and state in ('failed', 'discarded');

-- name: retry_failed
with retried as (
  update payment_operations p set state = 'due', finished_at = null, due_at = clock_timestamp()
    where operation_id = $1 and state = 'failed'
      and (
        select true from payment_operations q
          where q.order_id = p.order_id and q.kind = p.kind and q.state = 'due' and q.kind in ('void', 'look_up') limit 1
      ) is null
  returning operation_id, refund_id
),
pending as (
  update refunds set status = 'pending' where refund_id = (select refund_id from retried)
)
select operation_id from retried;

-- name: discard_failed
update payment_operations set state = 'discarded', discard_reason = $2
  where operation_id = $1 and state = 'failed'
returning operation_id;
