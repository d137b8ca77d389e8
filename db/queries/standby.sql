-- Orders that wait for units to come back (docs/locking.md: The standby).

-- name: pairs_of_orders
-- Sale and product of what these orders have, and of what the orders want that wait for the same and come first.
with own as materialized (
  select distinct o.sale_number, l.product_id
    from orders o join order_lines l using (order_id)
    where o.order_id = any($1::uuid[]) and l.order_id = any($1::uuid[])
)
select sale_number, product_id from own
union
select s.sale_number, s.product_id
  from standby s
  where s.order_id = any(array(
    select w.order_id
      from (select distinct product_id from own) p
      cross join lateral (
        select order_id from standby a
          where a.product_id = p.product_id and a.served is null
          order by a.accepted_at, a.entry_seq, a.partition, a.order_id
          limit $2
      ) w
      limit 1000
  ));

-- name: pairs_beside
-- The same of what waits for these products.
select distinct s.sale_number, s.product_id
  from standby s
  where s.order_id = any(array(
    select w.order_id
      from unnest($1::text[]) as p (product_id)
      cross join lateral (
        select order_id from standby a
          where a.product_id = p.product_id and a.served is null
          order by a.accepted_at, a.entry_seq, a.partition, a.order_id
          limit $2
      ) w
      limit 1000
  ));

-- name: lock_stock
select product_id from stock where product_id = any($1::text[]) order by product_id for update;

-- name: lock_pairs
-- One by one in this order; what is wanted comes first, so that each is one look-up.
select sp.sale_number, sp.product_id
  from (select * from unnest($1::integer[], $2::text[]) as u (sale_number, product_id) order by 1, 2) wanted
  cross join lateral (
    select sale_number, product_id from sale_products a
      where a.sale_number = wanted.sale_number and a.product_id = wanted.product_id
      for update
  ) sp;

-- name: waited_for
select p.product_id
  from unnest($1::text[]) as p (product_id)
  cross join lateral (
    select from standby s where s.product_id = p.product_id and s.served is null order by s.accepted_at limit 1
  ) first;

-- name: candidates
-- Who waits for products of sales and does not want more of one than there is: of each list the first behind a place.
select w.accepted_at, w.entry_seq, w.partition, w.order_id, free.list
  from unnest($1::integer[], $2::text[], $3::bigint[]) with ordinality as free (sale_number, product_id, units, list)
  cross join lateral (
    select s.accepted_at, s.entry_seq, s.partition, s.order_id
      from standby s
      where s.product_id = free.product_id and s.served is null and s.quantity <= free.units
        and s.sale_number = free.sale_number
        and (s.accepted_at, s.entry_seq, s.partition, s.order_id) > ($4, $5, $6, $7)
      order by s.accepted_at, s.entry_seq, s.partition, s.order_id
      limit $8
  ) w
  order by 1, 2, 3, 4;

-- name: lock_waiting
-- Never waits for an order that somebody holds: who holds it may be waiting for the stock that is held here.
select order_id, sale_number, partition, customer_id, currency, payment_token, identities,
       array(select row(product_id, quantity - coalesce(cancelled, 0), unit_price, line) from order_lines l
               where l.order_id = o.order_id order by line) as lines
  from orders o
  where order_id = any($1::uuid[]) and status = 'pending' and reason = 'standby'
  order by accepted_at, entry_seq, partition, order_id
  for update skip locked;

-- name: terms
-- Of products whose stock and row of the sale are locked.
select wanted.sale_number, wanted.product_id, s.stock, a.quantity - a.taken as allotment, a.limit_per_customer,
       a.limit_email, a.limit_card, a.limit_address, a.limit_device, p.active
  from unnest($1::integer[], $2::text[]) as wanted (sale_number, product_id)
  cross join lateral (
    select * from sale_products sp
      where sp.sale_number = wanted.sale_number and sp.product_id = wanted.product_id limit 1
  ) a
  cross join lateral (select stock from stock where product_id = wanted.product_id limit 1) s
  cross join lateral (select active from products where product_id = wanted.product_id limit 1) p;

-- name: serve
-- Their units are reserved in this transaction: a hold begins, or where no money is taken they are confirmed.
with taken as materialized (
  select u.order_id, u.total, u.turn, s.payment = 'none' as confirms, s.hold_s
    from unnest($1::uuid[], $2::integer[], $3::bigint[], $4::bigint[]) as u (order_id, sale_number, total, turn)
    cross join lateral (select payment, hold_s from sales where sale_number = u.sale_number limit 1) s
),
noted as (
  update standby b set served = t.turn
    from taken t where b.order_id = any($1::uuid[]) and b.order_id = t.order_id and b.served is null
),
moved as (
  update orders o
    set reason = null, updated_at = clock_timestamp(),
        status = case when t.confirms then 'confirmed' else o.status end,
        version = o.version + 1
    from taken t where o.order_id = any($1::uuid[]) and o.order_id = t.order_id
  returning o.order_id, o.sale_number, o.partition, o.currency, o.payment_token, o.version, o.updated_at, o.status
),
held as (
  insert into reservations (order_id, sale_number, partition, due_at, expires_at, total, currency, payment_token)
  select m.order_id, m.sale_number, m.partition, clock_timestamp(), clock_timestamp() + make_interval(secs => t.hold_s),
         t.total, m.currency, m.payment_token
    from moved m join taken t using (order_id) where not t.confirms
)
insert into order_events (order_id, seq, status, at, kind)
select order_id, version, status, updated_at, case when status = 'pending' then 'served' end from moved;

-- name: turns
select nextval('standby_turns') from generate_series(1, $1::integer);

-- name: refuse
-- Over a limit by now: nothing was reserved for them, so nothing is given back.
with moved as (
  update orders o
    set status = 'cancelled', reason = 'limit_exceeded', refusal = u.refusal, version = o.version + 1,
        updated_at = clock_timestamp()
    from unnest($1::uuid[], $2::jsonb[]) as u (order_id, refusal)
    where o.order_id = any($1::uuid[]) and o.order_id = u.order_id
  returning o.order_id, o.version, o.updated_at
),
gone as (
  delete from standby where order_id = any($1::uuid[])
)
insert into order_events (order_id, seq, status, at, reason)
select order_id, version, 'cancelled', updated_at, 'limit_exceeded' from moved;

-- name: leave
-- Orders that were cancelled while they waited.
delete from standby where order_id = any($1::uuid[]) and served is null;

-- name: want_less
-- Some units of an order that waits were cancelled; the caller has locked the order.
with less as (
  update standby b set quantity = b.quantity - u.units
    from unnest($2::text[], $3::integer[]) as u (product_id, units)
    where b.order_id = $1 and b.product_id = u.product_id and b.served is null and b.quantity > u.units
  returning b.product_id
)
delete from standby
  where order_id = $1 and served is null and product_id = any($2::text[])
    and not product_id = any(array(select product_id from less));

-- name: end_waiting
-- Their sale is over: nothing was reserved for them, so nothing is given back.
with locked as (
  select order_id from orders
    where order_id = any($1::uuid[]) and status = 'pending' and reason = 'standby' order by order_id for update
),
moved as (
  update orders o set status = 'cancelled', version = o.version + 1, reason = $2, updated_at = clock_timestamp()
    where o.order_id = any(array(select order_id from locked))
  returning o.order_id, o.version, o.updated_at
),
gone as (
  delete from standby where order_id = any(array(select order_id from moved))
)
insert into order_events (order_id, seq, status, at, reason)
select order_id, version, 'cancelled', updated_at, $2 from moved
returning order_id;

-- name: of_ended_sales
-- Orders that wait in sales that are over.
select w.order_id
  from planned_sales s
  cross join lateral (
    select order_id from standby a where a.sale_number = s.sale_number and a.served is null order by a.order_id limit $1
  ) w
  where s.phase = 'closed' or s.ends_at <= clock_timestamp() or s.plan_closes_at <= clock_timestamp()
  limit $1;

-- name: servable
-- Products that somebody waits for who could have all of what he wants now: what slipped through when units came back.
-- From pair to pair of product and sale, not row by row; of each list the first so many are looked at.
with recursive listed (product_id) as (
  (select product_id from standby where served is null order by product_id limit 1)
  union all
  select (select product_id from standby s where s.served is null and s.product_id > listed.product_id
            order by s.product_id limit 1)
    from listed where listed.product_id is not null
)
select listed.product_id
  from listed
  cross join lateral (select stock from stock where product_id = listed.product_id and stock > 0 limit 1) s
  where coalesce((
    select true
      from (
        select order_id from standby a
          where a.product_id = listed.product_id and a.served is null and a.quantity <= s.stock
          order by a.accepted_at, a.entry_seq, a.partition, a.order_id
          limit 100
      ) w
      where coalesce((
        select bool_and(
            b.quantity <= (select least(k.stock, coalesce(sp.quantity - sp.taken, k.stock))
                             from stock k, sale_products sp
                             where k.product_id = b.product_id and sp.sale_number = b.sale_number
                               and sp.product_id = b.product_id)
            and (select active from products p where p.product_id = b.product_id)
          )
          from standby b where b.order_id = w.order_id
      ), false)
      limit 1
  ), false)
  limit $1;
