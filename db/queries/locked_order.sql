-- name: lock_order
-- First of all locks (docs/locking.md): whatever is decided of the order by hand is decided while it is held.
select order_id, sale_number, customer_id, status, version, reason, total, payment::text as payment, authorised, captured,
       refunded, coalesce(paid_elsewhere, false) as paid_elsewhere
  from orders where order_id = $1 for update;

-- name: read_units
-- Asked once the order is locked, so that it sees all that happened before: its lines, parcels, money under way.
select (select payment::text from sales where sale_number = $2) as mode,
       coalesce((select true from reservations where order_id = $1), false) as is_held,
       coalesce((select attempts > 0 from reservations where order_id = $1), false) as was_asked,
       coalesce((select sum(amount) from refunds where order_id = $1 and status = 'pending'), 0)::bigint as refunding,
       coalesce((select bool_or(state = 'due') from payment_operations where order_id = $1 and kind = 'capture'), false)
         as is_capturing,
       array(select row(line, product_id, quantity, unit_price, cancelled, shipped, returned, replaced, restocked)
               from order_lines where order_id = $1 order by line) as lines,
       array(select row(shipment_id, status, array(select row(line, quantity) from shipment_lines l
                                                     where l.shipment_id = p.shipment_id order by line))
               from shipments p where p.order_id = $1 order by seq, at) as parcels;

-- name: move_order
update orders
  set status = $2::order_status, version = $3, reason = coalesce($4, case when $2::order_status = 'pending' then reason else nullif(reason, 'standby') end),
      updated_at = clock_timestamp()
  where order_id = $1
returning updated_at;

-- name: tell
insert into order_events (order_id, seq, status, at, reason, kind, lines)
values ($1, $2, $3::order_status, $4, $5, $6, $7);

-- name: count_units
update order_lines
  set cancelled = nullif($3::smallint, 0), shipped = nullif($4::smallint, 0), returned = nullif($5::smallint, 0),
      replaced = nullif($6::smallint, 0), restocked = nullif($7::smallint, 0)
  where order_id = $1 and line = $2;

-- name: end_hold
delete from reservations where order_id = $1;

-- name: mark_paid_elsewhere
update orders set paid_elsewhere = true where order_id = $1;

-- name: mark_hold
-- What is asked for may be more by now than what the order's lines cost.
update reservations set lines_cancelled = true where order_id = $1;

-- name: lock_products
-- In product order, before units of any are moved.
select product_id, stock from stock where product_id = any($1::text[]) order by product_id for update;

-- name: move_units
update stock s
  set stock = s.stock + u.stock, reserved = s.reserved + u.reserved, sold = s.sold + u.sold
  from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) as u (product_id, stock, reserved, sold)
  where s.product_id = u.product_id and s.product_id = any($1::text[]);

-- name: return_allotments
update sale_products sp
  set taken = sp.taken - u.units
  from unnest($2::text[], $3::bigint[]) as u (product_id, units)
  where sp.sale_number = $1 and sp.product_id = u.product_id and sp.product_id = any($2::text[]);

-- name: return_purchases
-- Whoever counts purchases of a product holds its allotment's row.
update purchases p
  set quantity = p.quantity - u.units
  from unnest($3::text[], $4::bigint[]) as u (product_id, units)
  where p.sale_number = $1 and p.customer_id = $2 and p.product_id = u.product_id and p.product_id = any($3::text[]);
