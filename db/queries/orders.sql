-- name: read_order
select o.order_id, s.sale_id, o.customer_id, o.status, o.reason, o.accepted_at, o.updated_at, o.total, o.currency,
       o.metadata, o.version, r.expires_at as reservation_expires_at,
       array(select row(product_id, quantity, unit_price) from order_lines l
               where l.order_id = o.order_id order by line) as lines,
       array(select row(seq, status::text, at, reason) from order_events e
               where e.order_id = o.order_id order by seq) as history
  from orders o
  join sales s using (sale_number)
  left join reservations r using (order_id)
  where o.order_id = $1;

-- name: list_orders
-- Newest first by acceptance; the cursor is (accepted_at, order_id) of the page's last row.
select o.order_id, s.sale_id, o.customer_id, o.status, o.reason, o.accepted_at, o.updated_at, o.total, o.currency
  from orders o
  join sales s using (sale_number)
  where ($1::text is null or s.sale_id = $1)
    and ($2::text is null or o.customer_id = $2)
    and ($3::order_status is null or o.status = $3)
    and ($4::timestamptz is null or (o.accepted_at, o.order_id) < ($4, $5::uuid))
  order by o.accepted_at desc, o.order_id desc
  limit $6;

-- name: events_behind
select e.seq, e.status::text, e.at, e.reason, e.order_id
  from unnest($1::uuid[], $2::smallint[]) as asked (order_id, seen)
  join order_events e on e.order_id = asked.order_id and e.seq > asked.seen;

-- name: dead_letter_of
select reason, created_at from dead_letters where order_id = $1 order by dead_letter_id desc limit 1;

-- name: list_dead_letters
select dead_letter_id, s.sale_id, d.sale_number, d.partition, d.entry_id, d.order_id, d.reason, d.detail, d.created_at,
       d.retried_at
  from dead_letters d
  join sales s using (sale_number)
  where $1::bigint is null or dead_letter_id < $1
  order by dead_letter_id desc
  limit $2;

-- name: take_dead_letter
-- For one more try: the entry goes back to the end of its stream.
update dead_letters set retried_at = clock_timestamp()
  where dead_letter_id = $1
returning sale_number, partition, payload;
