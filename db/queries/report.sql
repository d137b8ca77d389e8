-- What the report of a sale is told from, all of it in one snapshot. Asked about a whole sale, on a connection of its own.
-- $1 is the sale's number.

-- name: accepted_by_minute
select date_trunc('minute', accepted_at) as minute, count(*) as accepted from orders where sale_number = $1 group by 1;

-- name: decided_by_minute
-- Each order is confirmed once at most, and cancelled once.
select date_trunc('minute', e.at) as minute, count(*) filter (where e.status = 'confirmed') as confirmed,
       count(*) filter (where e.status = 'cancelled') as cancelled
  from orders o join order_events e using (order_id)
  where o.sale_number = $1 and e.kind is null and e.status in ('confirmed', 'cancelled')
  group by 1;

-- name: states
select status::text as status, coalesce(reason, '') as reason, min(currency) as currency, count(*) as orders
  from orders where sale_number = $1 group by 1, 2;

-- name: confirmed
select count(*) from orders o join order_events e using (order_id)
  where o.sale_number = $1 and e.kind is null and e.status = 'confirmed';

-- name: to_decided
-- Nearest rank. Two servers' clocks: what ends before it began took no time.
select count(*) as count, percentile_disc(array[0.5, 0.9, 0.99]) within group (order by s) as ranks, max(s) as most
  from (
    select greatest(extract(epoch from e.at - o.accepted_at), 0)::float8 as s
      from orders o join order_events e on e.order_id = o.order_id and e.seq = 1
      where o.sale_number = $1
  ) as took;

-- name: to_confirmed
select count(*) as count, percentile_disc(array[0.5, 0.9, 0.99]) within group (order by s) as ranks, max(s) as most
  from (
    select greatest(extract(epoch from e.at - o.accepted_at), 0)::float8 as s
      from orders o join order_events e using (order_id)
      where o.sale_number = $1 and e.kind is null and e.status = 'confirmed'
  ) as took;

-- name: got_units
-- Orders that had units at their turn, in the order of acceptance: where each stands in the order of getting them. Every
-- $2-th of them.
select position
  from (
    select e.position, row_number() over (order by o.accepted_at, o.entry_seq, o.partition, o.order_id) as place
      from orders o join order_events e on e.order_id = o.order_id and e.seq = 1
      where o.sale_number = $1 and e.status <> 'cancelled' and e.reason is distinct from 'standby'
  ) as placed
  where place % $2 = 0
  order by place;

-- name: count_orders
select count(*) from orders where sale_number = $1;

-- name: standby_served
-- The turns in which orders that stood by were served: lists of who wanted as many of the same product and nothing else,
-- each in the order of acceptance.
select array_agg(served order by accepted_at, entry_seq, partition, order_id) as turns
  from (
    select order_id, min(product_id) as product_id, min(quantity) as quantity, min(accepted_at) as accepted_at,
           min(entry_seq) as entry_seq, min(partition) as partition, min(served) as served
      from standby where sale_number = $1 group by 1 having count(*) = 1
  ) as listed
  where served is not null
  group by product_id, quantity;

-- name: standby
select (select count(*) from orders o join order_events e on e.order_id = o.order_id and e.seq = 1
          where o.sale_number = $1 and e.status = 'pending' and e.reason = 'standby') as stood_by,
       (select count(distinct order_id) from standby where sale_number = $1 and served is not null) as served,
       (select count(*) from orders where sale_number = $1 and status = 'cancelled' and reason = 'standby_ended') as in_vain,
       (select count(*) from orders where sale_number = $1 and status = 'pending' and reason = 'standby') as waiting;

-- name: limits
select coalesce(refusal ->> 'by', 'unknown') as by, count(*) as orders
  from orders where sale_number = $1 and status = 'cancelled' and reason = 'limit_exceeded' group by 1;

-- name: products
select sp.product_id, p.name, sp.quantity as allotment, sp.taken, s.stock, s.reserved, s.sold, s.received,
       coalesce(m.moved, 0)::bigint as moved
  from sale_products sp join products p using (product_id) left join stock s using (product_id)
  -- Once for all of them: no index names a movement's product, so that one after the other would read it all as often.
  left join (
    select product_id, sum(quantity) as moved
      from stock_movements
      where product_id in (select product_id from sale_products where sale_number = $1)
      group by product_id
  ) m using (product_id)
  where sp.sale_number = $1
  order by sp.list_position, sp.product_id;

-- name: units
-- Each unit that was wanted has one fate: kept, refused before the order had any, given up, or still stood by for.
with fates as materialized (
  select o.order_id,
         case when o.status = 'pending' and o.reason = 'standby' then 'standing_by'
              when o.status = 'cancelled' and (e.status = 'cancelled' or (e.reason = 'standby' and b.order_id is null))
                then 'refused'
              when o.status = 'cancelled' or (o.status = 'pending' and r.order_id is null) then 'given_up'
              else 'kept' end as fate
    from orders o
    join order_events e on e.order_id = o.order_id and e.seq = 1
    left join reservations r on r.order_id = o.order_id
    left join (select distinct order_id from standby where sale_number = $1 and served is not null) b
      on b.order_id = o.order_id
    where o.sale_number = $1
)
select l.product_id,
       sum(l.quantity) as wanted,
       coalesce(sum(l.quantity - coalesce(l.cancelled, 0)) filter (where f.fate = 'kept'), 0) as kept,
       coalesce(sum(l.quantity) filter (where f.fate = 'refused'), 0)
         + coalesce(sum(l.cancelled) filter (where f.fate = 'standing_by'), 0) as refused,
       coalesce(sum(l.quantity) filter (where f.fate = 'given_up'), 0)
         + coalesce(sum(l.cancelled) filter (where f.fate = 'kept'), 0) as given_up,
       coalesce(sum(l.quantity - coalesce(l.cancelled, 0)) filter (where f.fate = 'standing_by'), 0) as standing_by,
       coalesce(sum(l.shipped), 0) as shipped, coalesce(sum(l.returned), 0) as returned,
       coalesce(sum(l.restocked), 0) as restocked
  from fates f join order_lines l using (order_id)
  group by 1;

-- name: turns
-- Of these products since a moment, and of each list the last one before.
select product_id, sale_number, at, sold_out, tx::text::bigint as tx
  from shelf_turns
  where product_id = any($2::text[]) and (sale_number is null or sale_number = $1) and at >= $3
union all
select product_id, sale_number, at, sold_out, tx
  from (
    select distinct on (product_id, sale_number) product_id, sale_number, at, sold_out, tx::text::bigint as tx
      from shelf_turns
      where product_id = any($2::text[]) and (sale_number is null or sale_number = $1) and at < $3
      order by product_id, sale_number, turn desc
  ) as before
  order by product_id, at;

-- name: payments
select coalesce(payment::text, 'none') as payment, count(*) as orders, coalesce(sum(authorised), 0)::bigint as authorised,
       coalesce(sum(captured), 0)::bigint as captured, coalesce(sum(refunded), 0)::bigint as refunded
  from orders where sale_number = $1 group by 1;

-- name: operations
select p.kind, p.state, count(*) as operations, coalesce(sum(p.amount), 0)::bigint as amount
  from orders o join payment_operations p using (order_id)
  where o.sale_number = $1
  group by 1, 2;

-- name: goods
-- As the audit has it (audit.sql, p12_money): what kept lines cost, or sent ones where money is taken at shipping.
with lines as (
  select l.order_id,
         sum(l.unit_price * (l.quantity - coalesce(l.cancelled, 0) - coalesce(l.returned, 0))) as kept,
         sum(l.unit_price * (coalesce(l.shipped, 0) - coalesce(l.returned, 0))) as sent
    from orders o join order_lines l using (order_id) where o.sale_number = $1 group by 1
),
back as (
  select r.order_id, sum(r.amount - coalesce((
           select sum(((one ->> 'quantity')::bigint - coalesce((
                    select sum((off ->> 'quantity')::bigint) from jsonb_array_elements(e.lines) as off
                      where o.authorised is not null and off ->> 'line' = one ->> 'line'
                  ), 0)) * l.unit_price)
             from jsonb_array_elements(r.lines) as one
             join order_lines l on l.order_id = r.order_id and l.line = (one ->> 'line')::integer
         ), 0)) as goodwill
    from orders o
    join refunds r using (order_id)
    join order_events e on e.order_id = r.order_id and e.seq = r.seq
    where o.sale_number = $1 and r.status = 'succeeded'
    group by 1
),
known as (
  select coalesce(o.captured, 0) - coalesce(o.refunded, 0) as money,
         case when o.status in ('pending', 'cancelled', 'refunded') or o.paid_elsewhere then 0
              else (case when o.authorised is null then l.kept else l.sent end) - coalesce(b.goodwill, 0) end as wanted,
         exists (select from payment_operations p where p.order_id = o.order_id and p.state <> 'done') as is_open
    from orders o join lines l using (order_id) left join back b using (order_id)
    where o.sale_number = $1 and o.payment is not null
)
select coalesce(sum(wanted), 0)::bigint as goods, count(*) filter (where is_open) as open,
       count(*) filter (where not is_open and money <> wanted) as differing
  from known;

-- name: acts
-- Newest first; a body that is long is left out of it.
select at, action, target, operator, key_name,
       case when octet_length(change::text) <= 2000 then change
            else jsonb_build_object('left_out_bytes', octet_length(change::text)) end as change
  from ops_log
  where target = any($1::text[]) and at between $2 and $3
  order by entry_id desc
  limit $4;

-- name: count_acts
select count(*) from ops_log where target = any($1::text[]) and at between $2 and $3;

-- name: dead_letters
select reason, state, count(*) as letters, min(created_at) as since, max(failed_at) as until
  from dead_letter_states where sale_number = $1 group by 1, 2 order by 1, 2;

-- name: failed_operations
select p.kind, p.state, count(*) as operations, min(p.created_at) as since, max(p.finished_at) as until
  from orders o join payment_operations p using (order_id)
  where o.sale_number = $1 and p.state in ('failed', 'discarded')
  group by 1, 2 order by 1, 2;

-- name: alerts
select name, severity, summary, began_at, ended_at from alert_spells
  where began_at <= $2 and coalesce(ended_at, seen_at) >= $1
  order by began_at
  limit 200;

-- name: no_gos
select at, occasion, checks from prewarm_reports where sale_number = $1 and not go order by report_id desc limit 50;

-- name: timeline
-- The sale's plan as it stands, with when each entry was seen in force.
select (one ->> 'at')::timestamptz as planned_at, one ->> 'phase' as phase,
       array(select jsonb_object_keys(coalesce(one -> 'room', '{}')) order by 1) as room, m.seen_at as applied_at
  from sale_plans p
  cross join lateral jsonb_array_elements(p.timeline) with ordinality as entry (one, place)
  left join timeline_marks m on m.sale_number = p.sale_number and m.at = (one ->> 'at')::timestamptz
  where p.sale_number = $1 and (one ->> 'at')::timestamptz <= $2
  order by place;

-- name: process_starts
select role, name, began_at from process_starts where began_at > $1 and began_at <= $2 order by began_at limit 200;

-- name: postgres_began
select pg_postmaster_start_time();
