-- name: read_orders
select o.order_id, (select sale_id from sales s where s.sale_number = o.sale_number), o.customer_id, o.status, o.reason,
       o.accepted_at, o.updated_at, o.total, o.currency, o.metadata, o.refusal, o.version,
       (select expires_at from reservations r where r.order_id = o.order_id) as reservation_expires_at,
       row((select payment::text from sales s where s.sale_number = o.sale_number), o.payment::text, o.authorised,
           o.captured, o.refunded, o.next_action, coalesce(o.paid_elsewhere, false)) as payment,
       array(select row(line, product_id, quantity, unit_price, cancelled, shipped, returned,
                        o.lines_metadata -> (line - 1)) from order_lines l
               where l.order_id = o.order_id order by line) as lines,
       array(select row(shipment_id, seq, carrier, tracking, status, status_seq, at,
                        array(select row(line, quantity) from shipment_lines l
                                where l.shipment_id = p.shipment_id order by line))
               from shipments p where p.order_id = o.order_id order by seq, at) as shipments,
       array(select row(refund_id, seq, amount, lines, reason, status, at) from refunds r
               where r.order_id = o.order_id order by seq, at) as refunds,
       array(select row(seq, status::text, at, reason, kind, lines) from order_events e
               where e.order_id = o.order_id order by seq) as history
  from orders o
  where o.order_id = any($1::uuid[]);

-- name: list_orders
-- Newest first by acceptance, a shadow's only where it is named; the cursor is (accepted_at, order_id) of the page's last row. Each partition is read from
-- its end by its index, as far as a page goes and what was accepted in the same millisecond as its last. Accepted from $6
-- and before $7, which may be infinite.
select o.order_id, s.sale_id, o.customer_id, o.status, o.reason, o.accepted_at, o.updated_at, o.total, o.currency
  from sales s
  cross join lateral generate_series(0, s.partitions - 1) as p (partition)
  cross join lateral (
    select * from orders o
      where o.sale_number = s.sale_number and o.partition = p.partition
        and ($2::order_status is null or o.status = $2)
        and o.accepted_at <= coalesce($3::timestamptz, 'infinity')
        and o.accepted_at >= $6::timestamptz and o.accepted_at < $7::timestamptz
        and ($3::timestamptz is null or (o.accepted_at, o.order_id) < ($3, $4::uuid))
      order by o.accepted_at desc
      fetch first ($5::bigint) rows with ties
  ) o
  where $1::text is null and not is_shadow(s.sale_number) or s.sale_id = $1
  order by o.accepted_at desc, o.order_id desc
  limit $5;

-- name: list_orders_by_reason
-- The same of those with a reason, by an index of its own: they may be few among many.
select o.order_id, s.sale_id, o.customer_id, o.status, o.reason, o.accepted_at, o.updated_at, o.total, o.currency
  from sales s
  cross join lateral generate_series(0, s.partitions - 1) as p (partition)
  cross join lateral (
    select * from orders o
      where o.sale_number = s.sale_number and o.partition = p.partition and o.reason = $8::text
        and ($2::order_status is null or o.status = $2)
        and o.accepted_at <= coalesce($3::timestamptz, 'infinity')
        and o.accepted_at >= $6::timestamptz and o.accepted_at < $7::timestamptz
        and ($3::timestamptz is null or (o.accepted_at, o.order_id) < ($3, $4::uuid))
      order by o.accepted_at desc
      fetch first ($5::bigint) rows with ties
  ) o
  where $1::text is null and not is_shadow(s.sale_number) or s.sale_id = $1
  order by o.accepted_at desc, o.order_id desc
  limit $5;

-- name: list_customers_orders
-- The same of one customer, who has few; found by that alone, or the planner takes the times for the better condition.
with theirs as materialized (
  select order_id, sale_number, customer_id, status, reason, accepted_at, updated_at, total, currency
    from orders
    where customer_id = $9
)
select o.order_id, s.sale_id, o.customer_id, o.status, o.reason, o.accepted_at, o.updated_at, o.total, o.currency
  from theirs o
  cross join lateral (select sale_id from sales where sale_number = o.sale_number limit 1) s
  where ($1::text is null and not is_shadow(o.sale_number) or s.sale_id = $1)
    and ($2::order_status is null or o.status = $2)
    and ($8::text is null or o.reason = $8)
    and o.accepted_at >= $6::timestamptz and o.accepted_at < $7::timestamptz
    and ($3::timestamptz is null or (o.accepted_at, o.order_id) < ($3, $4::uuid))
  order by o.accepted_at desc, o.order_id desc
  limit $5;

-- name: events_behind
-- Of each order those behind the event that is named with it.
select e.seq, e.status::text, e.at, e.reason, e.kind, e.lines, e.order_id
  from unnest($1::uuid[], $2::smallint[]) as t (order_id, seq)
  cross join lateral (
    select * from order_events e where e.order_id = t.order_id and e.seq > t.seq order by e.seq
  ) e;

-- name: version_of
select version from orders where order_id = $1;

-- name: partitions_to_export
-- All partitions of a sale, or of all sales but shadows; and the database's clock, after which nothing is exported.
select s.sale_number, p.partition::smallint as partition, clock_timestamp() as now
  from sales s cross join lateral generate_series(0, s.partitions - 1) as p (partition)
  where $1::text is null and not is_shadow(s.sale_number) or s.sale_id = $1;

-- name: orders_to_export
-- Of each partition what was accepted next behind a place, at most $6, and whether it was asked for.
select t.place::integer as place, o.order_id, o.accepted_at, o.entry_seq, o.chosen
  from unnest($1::integer[], $2::smallint[], $3::timestamptz[], $4::integer[])
    with ordinality as t (sale_number, partition, accepted_at, entry_seq, place)
  cross join lateral (
    select o.order_id, o.accepted_at, o.entry_seq,
           ($7::order_status is null or o.status = $7) and ($8::text is null or o.reason = $8) as chosen
      from orders o
      where o.sale_number = t.sale_number and o.partition = t.partition
        and (o.accepted_at, o.entry_seq) > (t.accepted_at, t.entry_seq) and o.accepted_at < $5::timestamptz
      order by o.accepted_at, o.entry_seq
      limit $6::bigint
  ) o
  order by t.place, o.accepted_at, o.entry_seq;
