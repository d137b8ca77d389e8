-- Rivals of the drain, on the same tables in a database of their own (loadtests/rivals/draining.py); nothing else runs these.

-- name: drop_database
drop database if exists doorbuster_rivals with (force);

-- name: create_database
create database doorbuster_rivals;

-- name: seed
with product as (
  insert into products (product_id, name, brand, category, price, currency) values ('hot', 'Hot', 'b', 'c', 100, 'EUR')
  returning product_id
), shelf as (
  insert into stock (product_id, stock, received) select product_id, 100000000, 100000000 from product
), sale as (
  insert into sales (sale_id, starts_at) values ('rivals', now()) returning sale_number
)
insert into sale_products (sale_number, product_id) select sale_number, product_id from sale, product
returning sale_number;

-- name: reserve_one
-- One transaction an order, and only one round trip: the best that way of working can do.
with allotted as (
  update sale_products set taken = taken + 1
  where sale_number = $2 and product_id = 'hot' and (quantity is null or taken < quantity)
  returning product_id
), taken as (
  update stock s set stock = s.stock - 1, reserved = s.reserved + 1
  from allotted where s.product_id = allotted.product_id and s.stock >= 1
  returning s.product_id
), ordered as (
  insert into orders (order_id, sale_number, partition, entry_seq, version, status, accepted_at, updated_at, total,
                      currency, customer_id, fingerprint)
  select $1, $2, 0, 0, 1, 'pending', now(), now(), 100, 'EUR', $3, '\x00112233445566778899aabbccddeeff' from taken
), lined as (
  insert into order_lines (order_id, line, quantity, unit_price, product_id) select $1, 1, 1, 100, product_id from taken
), held as (
  insert into reservations (order_id, sale_number, partition, due_at, expires_at, total, currency)
  select $1, $2, 0, now(), now() + interval '10 minutes', 100, 'EUR' from taken
)
insert into order_events (order_id, seq, status, at) select $1, 1, 'pending', now() from taken;

-- name: empty
truncate orders, order_lines, reservations, order_events;

-- name: drained_orders
select sale_number, partition, version, updated_at, status, reason, currency, order_id, entry_seq, accepted_at, total,
       fingerprint, customer_id, payment_token, metadata, refusal, identities, lines_metadata,
       payment, authorised, captured
  from orders order by partition, accepted_at, entry_seq;

-- name: drained_order_lines
select order_id, line, quantity, unit_price, product_id
  from order_lines join orders using (order_id) order by partition, accepted_at, entry_seq, line;

-- name: drained_reservations
select r.order_id, r.total, r.sale_number, r.partition, r.due_at, r.expires_at, r.currency, r.payment_token
  from reservations r join orders o using (order_id) order by o.partition, o.accepted_at, o.entry_seq;

-- name: drained_order_events
select e.order_id, e.seq, e.status, e.at, e.reason
  from order_events e join orders o using (order_id)
  where e.seq = 1 order by o.partition, o.accepted_at, o.entry_seq;
