-- name: cancelled_of
select order_id from orders where order_id = any($1::uuid[]) and status = 'cancelled';

-- name: confirm_if_pending
-- What costs nothing: the hold ends, the units stay reserved. Orders are locked in id order, as every batch does. Rows are
-- found by `= any`, never by a join: which side of a join is scanned would depend on statistics (docs/adr/0018).
with locked as (
  select order_id from orders where order_id = any($1::uuid[]) and status = 'pending' order by order_id for update
),
ended as (
  delete from reservations where order_id = any(array(select order_id from locked)) returning order_id
),
moved as (
  update orders o set status = 'confirmed', version = o.version + 1, updated_at = clock_timestamp()
    where o.order_id = any(array(select order_id from ended))
  returning o.order_id, o.version, o.updated_at
)
insert into order_events (order_id, seq, status, at)
select order_id, version, 'confirmed', updated_at from moved
returning order_id;

-- name: confirm_paid
-- The same of orders whose payment is known: only those whose units are still held for them.
with locked as (
  select order_id from orders where order_id = any($1::uuid[]) and status = 'pending' order by order_id for update
),
ended as (
  delete from reservations where order_id = any(array(select order_id from locked)) returning order_id, lines_cancelled
),
moved as (
  update orders o
    set status = 'confirmed', version = o.version + 1, updated_at = clock_timestamp(), next_action = null,
        payment = p.payment::payment_status, authorised = p.authorised, captured = p.captured, payment_reference = p.reference
    from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
           as p (order_id, payment, authorised, captured, reference)
    where o.order_id = any(array(select order_id from ended)) and o.order_id = p.order_id
  returning o.order_id, o.version, o.updated_at
),
told as (
  insert into order_events (order_id, seq, status, at)
  select order_id, version, 'confirmed', updated_at from moved
)
select order_id, lines_cancelled from ended;

-- name: cancel_if_pending
-- Not paid: the hold ends; giving the units back follows in the same transaction, for those that were still held.
with locked as (
  select order_id from orders where order_id = any($1::uuid[]) and status = 'pending' order by order_id for update
),
moved as (
  update orders o
    set status = 'cancelled', version = o.version + 1, reason = $2, updated_at = clock_timestamp(), next_action = null,
        payment = coalesce($3::text::payment_status, o.payment)
    where o.order_id = any(array(select order_id from locked))
  returning o.order_id, o.version, o.updated_at
),
ended as (
  delete from reservations where order_id = any(array(select order_id from moved)) returning order_id
),
told as (
  insert into order_events (order_id, seq, status, at, reason)
  select order_id, version, 'cancelled', updated_at, $2 from moved
)
select order_id, order_id = any(array(select order_id from ended)) as held from moved;

-- name: give_back_stock
-- What was taken off before went back then.
update stock s
  set stock = s.stock + u.units, reserved = s.reserved - u.units
  from (
    select product_id, sum(quantity - coalesce(cancelled, 0)) as units
      from order_lines where order_id = any($1::uuid[]) group by 1
  ) u
  where s.product_id = u.product_id
    and s.product_id = any(array(select product_id from order_lines where order_id = any($1::uuid[])));

-- name: give_back_allotments
-- The rows are locked, so that where they lie does not change.
with units as materialized (
  select o.sale_number, l.product_id, sum(l.quantity - coalesce(l.cancelled, 0)) as units
    from orders o join order_lines l using (order_id)
    where o.order_id = any($1::uuid[]) and l.order_id = any($1::uuid[])
    group by 1, 2
),
found as materialized (
  select sp.place, units.units
    from units cross join lateral (
      select ctid as place from sale_products a
        where a.sale_number = units.sale_number and a.product_id = units.product_id
        offset 0
    ) sp
)
update sale_products sp
  set taken = sp.taken - found.units
  from found
  where sp.ctid = found.place and sp.ctid = any(array(select place from found));

-- name: give_back_purchases
-- As above: whoever counts purchases of a product holds its allotment's row.
with units as materialized (
  select o.sale_number, l.product_id, o.customer_id, sum(l.quantity - coalesce(l.cancelled, 0)) as units
    from orders o join order_lines l using (order_id)
    where o.order_id = any($1::uuid[]) and l.order_id = any($1::uuid[])
    group by 1, 2, 3
),
found as materialized (
  select p.place, units.units
    from units cross join lateral (
      select ctid as place from purchases b
        where b.sale_number = units.sale_number and b.product_id = units.product_id
          and b.customer_id = units.customer_id
        offset 0
    ) p
)
update purchases p
  set quantity = p.quantity - found.units
  from found
  where p.ctid = found.place and p.ctid = any(array(select place from found));
