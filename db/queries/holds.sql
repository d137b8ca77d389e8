-- Holds that end before their payment is known: the units go, the order stays pending until the provider has said.

-- name: release_if_ended
-- Guarded by the time: a hold that was made longer meanwhile stays.
with locked as (
  select order_id from orders where order_id = any($1::uuid[]) and status = 'pending' order by order_id for update
)
delete from reservations
  where order_id = any(array(select order_id from locked)) and expires_at <= clock_timestamp()
returning order_id;

-- name: wait_for_shopper
-- The shopper must act: the hold is made longer, once, and the provider is asked again after a while.
with locked as (
  select order_id from orders where order_id = any($1::uuid[]) and status = 'pending' order by order_id for update
)
update reservations r
  set attempts = greatest(r.attempts, 1::smallint), extended = true,
      expires_at = case when r.extended then r.expires_at
                        else greatest(r.expires_at, clock_timestamp()) + make_interval(secs => s.hold_extension_s) end,
      due_at = least(
        clock_timestamp() + make_interval(secs => $2::float8),
        case when r.extended then r.expires_at
             else greatest(r.expires_at, clock_timestamp()) + make_interval(secs => s.hold_extension_s) end)
  from sales s
  where r.order_id = any(array(select order_id from locked)) and s.sale_number = r.sale_number
returning r.order_id;

-- name: tell_of_action
-- Once: who asks again finds the same action open.
with moved as (
  update orders o
    set version = o.version + 1, updated_at = clock_timestamp(), payment = 'requires_action',
        next_action = p.next_action, payment_reference = coalesce(p.reference, o.payment_reference)
    from unnest($1::uuid[], $2::jsonb[], $3::text[]) as p (order_id, next_action, reference)
    where o.order_id = any($1::uuid[]) and o.order_id = p.order_id
      and o.status = 'pending' and o.payment is distinct from 'requires_action'
  returning o.order_id, o.version, o.updated_at
)
insert into order_events (order_id, seq, status, at, kind)
select order_id, version, 'pending', updated_at, 'action_required' from moved
returning order_id;

-- name: ask_now
-- The provider has nothing, and the units are still held: the settle shift asks it.
update reservations set due_at = clock_timestamp() where order_id = any($1::uuid[]);

-- name: ask_later
update reservations set due_at = clock_timestamp() + make_interval(secs => $2::float8), attempts = greatest(attempts, 1::smallint)
  where order_id = any($1::uuid[]);

-- name: lines_of
-- What an order wants, in product order.
select product_id, sum(quantity - coalesce(cancelled, 0))::bigint as units
  from order_lines where order_id = $1 and quantity > coalesce(cancelled, 0) group by 1 order by 1;

-- name: confirm_anew
-- Its units were taken again in this transaction.
with moved as (
  update orders set status = 'confirmed', version = version + 1, updated_at = clock_timestamp(), next_action = null
    where order_id = $1 and status = 'pending'
  returning order_id, version, updated_at
)
insert into order_events (order_id, seq, status, at)
select order_id, version, 'confirmed', updated_at from moved
returning order_id;

-- name: buyer_of
select sale_number, customer_id, identities from orders where order_id = $1;
