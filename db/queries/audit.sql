-- name: leave_out_shadows
-- For the transaction: each table is its view without the rows of rehearsals.
set local search_path = real, public;

-- name: p1_entries
-- Every entry worked off became an order, is a dead letter, or repeated an order that was there.
select c.drained, c.repeated,
       (select count(*) from orders o where o.sale_number = c.sale_number and o.partition = c.partition) as orders,
       (select count(*) from dead_letters d where d.sale_number = c.sale_number and d.partition = c.partition) as letters
  from stream_cursors c;

-- name: p1_orphans
-- Rows of the hot path have no foreign keys; this is their check. Every order has lines and events and they an order.
select
  (select count(*) from orders o where not exists (select from order_lines l where l.order_id = o.order_id))
  + (select count(*) from order_lines l where not exists (select from orders o where o.order_id = l.order_id))
  + (select count(*) from order_events e where not exists (select from orders o where o.order_id = e.order_id))
  + (select count(*) from reservations r
       where not exists (select from orders o where o.order_id = r.order_id and o.status = 'pending'))
  -- Without a hold an order stands by, or its hold ended and what its payment holds is not let go yet.
  + (select count(*) from orders o
       where o.status = 'pending' and not exists (select from reservations r where r.order_id = o.order_id)
         and (o.reason is distinct from 'standby'
              or not exists (select from standby s where s.order_id = o.order_id and s.served is null))
         and not exists (select from payment_operations p where p.order_id = o.order_id and p.state in ('due', 'failed')))
  + (select count(*) from standby s
       where s.served is null
         and not exists (select from orders o
                           where o.order_id = s.order_id and o.status = 'pending' and o.reason = 'standby'));

-- name: p2_ledger
select count(*) as products, coalesce(sum(stock), 0)::bigint as stock, coalesce(sum(reserved), 0)::bigint as reserved,
       coalesce(sum(sold), 0)::bigint as sold, coalesce(sum(received), 0)::bigint as received,
       count(*) filter (where stock < 0 or reserved < 0 or sold < 0 or stock + reserved + sold <> received) as breaches
  from stock;

-- name: p2_reserved
-- What the ledger says is reserved and sold, against what the lines say: open units of orders that have theirs (a
-- pending one without a hold has none), and what left and is not in stock again.
with wanted as (
  select l.product_id,
         sum(l.quantity - coalesce(l.cancelled, 0) - coalesce(l.shipped, 0)) filter (
           where o.status in ('confirmed', 'processing') or (o.status = 'pending' and r.order_id is not null)
         ) as reserved,
         sum(coalesce(l.shipped, 0) + coalesce(l.replaced, 0) - coalesce(l.restocked, 0)) as sold
    from orders o join order_lines l using (order_id) left join reservations r using (order_id)
    group by 1
)
select count(*)
  from stock s left join wanted w using (product_id)
  where s.reserved <> coalesce(w.reserved, 0) or s.sold <> coalesce(w.sold, 0);

-- name: p2_received
select count(*)
  from stock s
  left join (select product_id, sum(quantity) as units from stock_movements group by 1) m using (product_id)
  where s.received <> coalesce(m.units, 0);

-- name: p2_allotments
with wanted as (
  select o.sale_number, l.product_id, sum(l.quantity - coalesce(l.cancelled, 0)) as units
    from orders o join order_lines l using (order_id) left join reservations r using (order_id)
    where o.status <> 'cancelled' and (o.status <> 'pending' or r.order_id is not null)
    group by 1, 2
)
select count(*)
  from sale_products sp
  full join wanted w using (sale_number, product_id)
  where coalesce(sp.taken, -1) <> coalesce(w.units, 0) or sp.taken > sp.quantity;

-- name: p2_limits
-- Customers that have more of a product than the sale's limit, or whose count is wrong.
with wanted as (
  select o.sale_number, l.product_id, o.customer_id, sum(l.quantity - coalesce(l.cancelled, 0)) as units
    from orders o
    join order_lines l using (order_id)
    join sale_products sp on sp.sale_number = o.sale_number and sp.product_id = l.product_id
    left join reservations r using (order_id)
    where o.status <> 'cancelled' and (o.status <> 'pending' or r.order_id is not null)
      and sp.limit_per_customer is not null
    group by 1, 2, 3
)
select count(*)
  from wanted w
  full join purchases p using (sale_number, product_id, customer_id)
  where coalesce(w.units, 0) <> coalesce(p.quantity, 0);

-- name: p2_people
-- The same of whoever is behind the customers.
with wanted as (
  select o.sale_number, substring(o.identities from 2 + at for 16) as identity, l.product_id,
         sum(l.quantity - coalesce(l.cancelled, 0)) as units
    from orders o
    join order_lines l using (order_id)
    join sale_products sp on sp.sale_number = o.sale_number and sp.product_id = l.product_id
    cross join generate_series(0, length(o.identities) - 17, 17) as at
    where o.status <> 'cancelled' and o.identities is not null
      and (array[sp.limit_email, sp.limit_card, sp.limit_address, sp.limit_device])[get_byte(o.identities, at)] is not null
      and not (o.status = 'pending' and not exists (select from reservations r where r.order_id = o.order_id))
    group by 1, 2, 3
)
select count(*)
  from wanted w
  full join identity_purchases p using (sale_number, identity, product_id)
  where coalesce(w.units, 0) <> coalesce(p.quantity, 0);

-- name: p3_first_events
-- One order, one beginning.
select (select count(*) from orders) as orders, (select count(*) from order_events where seq = 1) as beginnings;

-- name: p4_out_of_turn
-- Orders decided before one that was accepted earlier in the same partition. Left out is what came while the order store's
-- end was lost: the clocks of two servers gave those times.
select count(*) from (
  select e.position < lag(e.position) over (partition by o.sale_number, o.partition order by o.accepted_at, o.entry_seq)
         as out_of_turn
    from orders o join order_events e on e.order_id = o.order_id and e.seq = 1
    where not exists (
      select from store_losses l
        where l.sale_number = o.sale_number and l.partition = o.partition
          and o.accepted_at >= to_timestamp(split_part(l.store_id, '-', 1)::bigint / 1000.0)
          and o.accepted_at < to_timestamp((split_part(l.cursor_id, '-', 1)::bigint + 1) / 1000.0))
) as decided
where out_of_turn;

-- name: p4_standby
-- Orders that stood by and were passed over: served, or left waiting, after one that wanted as much of the same product
-- alone, was accepted later, and was served when the first was on the list.
with alone as (
  select order_id, min(sale_number) as sale_number, min(product_id) as product_id, min(quantity) as quantity,
         min(accepted_at) as accepted_at, min(entry_seq) as entry_seq, min(partition) as partition,
         min(joined) as joined, coalesce(min(served), 9223372036854775807) as served
    from standby group by 1 having count(*) = 1
)
select count(*)
  from (
    select joined, served,
           lead(served) over (partition by sale_number, product_id, quantity
                              order by accepted_at, entry_seq, partition, order_id) as next_served
      from alone
  ) as listed
  where next_served < 9223372036854775807 and served > next_served and joined < next_served;

-- name: p5_steps
-- Every step that any order took, and those that the state machine does not have; an event with a kind is no step, and
-- one that changes the state is illegal.
select coalesce(sum(times) filter (where not has_kind), 0)::bigint as steps,
       coalesce(sum(times) filter (where case when has_kind then taken.was is distinct from taken.became
                                              else s.became is null end), 0)::bigint as illegal
  from (
    select was, became, has_kind, count(*) as times
      from (
        select lag(status) over (partition by order_id order by seq) as was, status as became, kind is not null as has_kind
          from order_events
      ) as each
      group by 1, 2, 3
  ) as taken
  left join order_steps s on s.was is not distinct from taken.was and s.became = taken.became;

-- name: p5_histories
-- Orders whose events are not 1..version, or whose last event is not the order's state; or that were told more often that
-- they are served than they stood by.
select count(*)
  from orders o
  left join (
    select order_id, count(*) as events, min(seq) as first, max(seq) as last,
           (array_agg(status order by seq desc))[1] as status,
           count(*) filter (where kind = 'served') as served,
           count(*) filter (where seq = 1 and reason = 'standby') as stood_by
      from order_events group by 1
  ) e using (order_id)
  where e.events is distinct from o.version or e.first <> 1 or e.last <> o.version or e.status <> o.status
     or e.served > e.stood_by;

-- name: p6_published
-- Events up to the relay's cursor, and behind it.
select count(*) filter (where (e.tx, e.position) <= (c.tx, c.position)) as published,
       count(*) filter (where c.tx is null or (e.tx, e.position) > (c.tx, c.position)) as waiting
  from order_events e left join relay_cursors c on c.relay = $1;

-- name: p7_rooms
-- Partitions of the sales whose orders need an admission, and whose room was not switched lately, by hand or by its plan.
select s.sale_number, p.partition
  from real.planned_sales s, generate_series(0, s.partitions - 1) as p (partition)
  where s.room ->> 'mode' = 'always'
    and not exists (
      select from ops_log l
        where l.target = 'sale:' || s.sale_id and l.action = 'change' and l.change -> 'room' ? 'mode'
          and l.at > clock_timestamp() - interval '2 hours'
    )
    and not exists (
      select from jsonb_array_elements(s.timeline) e
        where e -> 'room' ? 'mode' and (e ->> 'at')::timestamptz <= clock_timestamp()
    );

-- name: p11_totals
-- Orders that cost something else than their lines at the prices of their acceptance.
with lines as (
  select order_id, sum(quantity * unit_price) as total from order_lines group by 1
)
select count(*) as orders, count(*) filter (where o.total <> l.total) as breaches
  from orders o join lines l using (order_id);

-- name: p12_money
-- What was taken less what was given back, against what the kept lines cost: all of them, or those that were sent where
-- money is taken at shipping. `goodwill` was given back beyond the lines that a refund names. Orders of which something is
-- still to be done at the provider, or was given up, are left to the queue.
with lines as (
  select order_id,
         sum(unit_price * (quantity - coalesce(cancelled, 0) - coalesce(returned, 0))) as kept,
         sum(unit_price * (coalesce(shipped, 0) - coalesce(returned, 0))) as sent
    from order_lines group by 1
),
back as (
  -- Where money is taken at shipping, units that a refund took off before they left had cost nothing: its event has them.
  select r.order_id, sum(r.amount - coalesce((
           select sum(((one ->> 'quantity')::bigint - coalesce((
                    select sum((off ->> 'quantity')::bigint) from jsonb_array_elements(e.lines) as off
                      where o.authorised is not null and off ->> 'line' = one ->> 'line'
                  ), 0)) * l.unit_price)
             from jsonb_array_elements(r.lines) as one
             join order_lines l on l.order_id = r.order_id and l.line = (one ->> 'line')::integer
         ), 0)) as goodwill
    from refunds r
    join orders o using (order_id)
    join order_events e on e.order_id = r.order_id and e.seq = r.seq
    where r.status = 'succeeded'
    group by 1
),
open as (
  select distinct order_id from payment_operations where state <> 'done'
),
known as (
  select o.status, o.payment, coalesce(o.captured, 0) - coalesce(o.refunded, 0) as money, coalesce(o.captured, 0) as captured,
         case when o.paid_elsewhere then 0
              else (case when o.authorised is null then l.kept else l.sent end) - coalesce(b.goodwill, 0) end as wanted,
         coalesce(o.paid_elsewhere, false) as paid_elsewhere,
         o.order_id in (select order_id from open) as is_open,
         o.status = 'pending' and r.order_id is null as is_waiting
    from orders o
    join lines l using (order_id)
    left join back b using (order_id)
    left join reservations r using (order_id)
    where o.payment is not null
)
select count(*) as asked,
       count(*) filter (where captured > 0) as taken,
       count(*) filter (where is_open) as under_way,
       count(*) filter (where not is_open and status not in ('pending', 'cancelled', 'refunded') and money <> wanted) as differ,
       count(*) filter (where not is_open and (status in ('cancelled', 'refunded') or is_waiting) and money <> 0)
         as kept_without_goods,
       count(*) filter (where not is_open and (status in ('cancelled', 'refunded') or is_waiting or paid_elsewhere)
                          and payment in ('authorised', 'requires_action')) as held_without_goods
  from known;

-- name: p12_queue
select count(*) filter (where state = 'due') as due, count(*) filter (where state = 'failed') as failed,
       count(*) filter (where state = 'discarded') as discarded
  from payment_operations;

-- name: p12_unpaid
-- Served without anybody asked for money: free of charge, in a sale that takes none, or confirmed by hand.
select count(*) from orders where payment is null and status not in ('pending', 'cancelled') and paid_elsewhere is not true;

-- name: p12_elsewhere
-- Confirmed by hand, and paid in another way: the provider may keep nothing of them.
select count(*) from orders where paid_elsewhere and status not in ('pending', 'cancelled');

-- name: p12_orders
-- What orders say of their money, for comparison with the provider's list.
select o.order_id, o.status::text as status, coalesce(o.captured, 0) as captured, coalesce(o.refunded, 0) as refunded,
       exists (select from payment_operations p where p.order_id = o.order_id and p.state <> 'done') as is_open,
       o.payment_reference as reference
  from orders o where o.order_id = any($1::uuid[]);

-- name: p12_captured_since
select order_id from real.orders where accepted_at >= $1 and captured > 0;

-- name: states
select status::text, count(*) as orders from orders group by 1 order by 1;

-- name: p6_webhooks
-- Of the last hour, which is less than the log of deliveries is kept: events that were fanned out, and of them those that
-- an endpoint which wants them was not given. Not of the seconds in which an endpoint was made.
with fanned as (
  select e.order_id, e.seq, e.at,
         case when e.kind is null or e.kind = 'served' then 'order.' || e.status when e.kind = 'action_required' then 'payment.action_required'
              else 'order.' || e.kind end as type
    from order_events e
    where e.at > statement_timestamp() - interval '1 hour'
      and (e.tx, e.position) <= (select c.tx, c.position from relay_cursors c where c.relay = $1)
)
select count(*) as wanted, count(*) filter (where d.delivery_id is null) as missing
  from fanned e
  join webhooks w on w.state in ('active', 'paused') and e.at > w.events_from + interval '10 seconds'
    and (w.events is null or e.type = any(w.events))
  left join webhook_deliveries d on d.webhook_id = w.webhook_id and d.event_id = e.order_id || ':' || e.seq;

-- name: take_turn
-- One audit of the ops API at a time, in whatever process; given back with the transaction.
select pg_try_advisory_xact_lock(4906200702) as taken;

-- name: p1_store_losses
-- Each time the order store came back without its end; open are those of which some intake did not say what was lost.
select count(*) as losses, count(*) filter (where is_unwitnessed(l.loss_id, l.in_use, l.is_listed, l.witnesses)) as open,
       count(*) filter (where is_unwitnessed(l.loss_id, l.in_use, l.is_listed, l.witnesses) and acknowledged_at is not null) as acknowledged,
       coalesce(sum(missing), 0)::bigint as missing
  from store_losses l;

-- name: p1_lost_orders
-- Answered 202, found in neither store, and not sent again since; for ever, also where ops have acknowledged it.
select count(*) as lost, count(*) filter (where s.acknowledged_at is not null) as acknowledged
  from lost_orders l left join store_losses s using (loss_id)
  where not exists (select from orders o where o.order_id = l.order_id)
    and not exists (select from dead_letters d where d.order_id = l.order_id);
