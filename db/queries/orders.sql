-- name: read_order
select o.order_id, (select sale_id from sales s where s.sale_number = o.sale_number), o.customer_id, o.status, o.reason,
       o.accepted_at, o.updated_at, o.total, o.currency, o.metadata, o.version,
       (select expires_at from reservations r where r.order_id = o.order_id) as reservation_expires_at,
       array(select row(product_id, quantity, unit_price) from order_lines l
               where l.order_id = o.order_id order by line) as lines,
       array(select row(seq, status::text, at, reason) from order_events e
               where e.order_id = o.order_id order by seq) as history
  from orders o
  where o.order_id = $1;

-- name: list_orders
-- Newest first by acceptance; the cursor is (accepted_at, order_id) of the page's last row. Each partition is read from
-- its end by its index, as far as a page goes and what was accepted in the same millisecond as its last.
select o.order_id, s.sale_id, o.customer_id, o.status, o.reason, o.accepted_at, o.updated_at, o.total, o.currency
  from sales s
  cross join lateral generate_series(0, s.partitions - 1) as p (partition)
  cross join lateral (
    select * from orders o
      where o.sale_number = s.sale_number and o.partition = p.partition
        and ($2::order_status is null or o.status = $2)
        and o.accepted_at <= coalesce($3::timestamptz, 'infinity')
        and ($3::timestamptz is null or (o.accepted_at, o.order_id) < ($3, $4::uuid))
      order by o.accepted_at desc
      fetch first ($5::bigint) rows with ties
  ) o
  where $1::text is null or s.sale_id = $1
  order by o.accepted_at desc, o.order_id desc
  limit $5;

-- name: list_customers_orders
-- The same of one customer, who has few.
select o.order_id, s.sale_id, o.customer_id, o.status, o.reason, o.accepted_at, o.updated_at, o.total, o.currency
  from orders o
  cross join lateral (select sale_id from sales where sale_number = o.sale_number limit 1) s
  where o.customer_id = $6
    and ($1::text is null or s.sale_id = $1)
    and ($2::order_status is null or o.status = $2)
    and ($3::timestamptz is null or (o.accepted_at, o.order_id) < ($3, $4::uuid))
  order by o.accepted_at desc, o.order_id desc
  limit $5;

-- name: events_of
-- All of them: an order has few.
select seq, status::text, at, reason, order_id from order_events where order_id = any($1::uuid[]);

-- name: dead_letter_of
select reason, created_at from dead_letters where order_id = $1
  order by created_at desc, dead_letter_id desc limit 1;

-- name: list_dead_letters
select dead_letter_id, (select sale_id from sales s where s.sale_number = d.sale_number), d.sale_number, d.partition,
       d.entry_id, d.order_id, d.reason, d.detail, d.created_at, d.retried_at
  from dead_letters d
  where dead_letter_id < coalesce($1::bigint, 9223372036854775807)
  order by dead_letter_id desc
  limit $2;

-- name: take_dead_letter
-- For one more try: the entry goes back to the end of its stream.
update dead_letters set retried_at = clock_timestamp()
  where dead_letter_id = $1
returning sale_number, partition, payload;
