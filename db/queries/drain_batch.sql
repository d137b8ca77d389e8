-- name: renew_lease
-- First statement of every batch: renews the lease, tells the batch's time and the sale's hold.
-- No row: the lease is another's.
update shifts
  set lease_expires_at = clock_timestamp() + make_interval(secs => $3::float8), batch_max = $4
  where name = $1 and fence = $2
returning clock_timestamp() as now, (select make_interval(secs => hold_s) from sales where sale_number = $5) as hold;

-- name: lock_sellable
-- Locks what the batch wants, in product order, before anything is decided: reading first and updating later oversells.
select product_id, s.stock, sp.quantity - sp.taken as allotment, sp.limit_per_customer,
       sp.limit_email, sp.limit_card, sp.limit_address, sp.limit_device, sp.people_number,
       (select payment::text from sales where sale_number = $1) as payment,
       sp.price as sale_price, p.price as own_price, p.currency, p.active,
       (select jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                           (extract(epoch from ends_at) * 1000000)::bigint, r.price))
          from product_prices r where r.product_id = s.product_id) as windows,
       -- What held before ops changed it, since the first order of the batch was accepted.
       (select jsonb_agg(jsonb_build_array((extract(epoch from f.until) * 1000000)::bigint, f.sale_price, f.own_price,
                                           f.windows) order by f.until)
          from former_prices f
          where f.sale_number = $1 and f.product_id = s.product_id and f.until > $3) as former
  from stock s
  join sale_products sp using (product_id)
  join products p using (product_id)
  where sp.sale_number = $1 and sp.product_id = any($2::text[]) and s.product_id = any($2::text[])
    and p.product_id = any($2::text[])
  order by s.product_id
  for update of s, sp;

-- name: lock_standby
select standby_max from sales where sale_number = $1 for no key update;

-- name: count_standby
select count(distinct order_id) from standby where sale_number = $1 and served is null;

-- name: read_strays
-- What products cost that orders want and the sale has no more. Nothing is taken of them, so nothing is locked.
select product_id, price, currency from products where product_id = any($1::text[]);

-- name: lock_purchases
-- One look-up each, in the order they are named: by product, then customer.
select w.product_id, w.customer_id, p.quantity
  from unnest($2::text[], $3::text[]) as w (product_id, customer_id)
  cross join lateral (
    select quantity from purchases
      where sale_number = $1 and product_id = w.product_id and customer_id = w.customer_id
      for update
  ) p;

-- name: known_orders
select order_id, fingerprint from orders where order_id = any($1::uuid[]);

-- name: reserve_stock
-- Guarded although the rows are locked: the last line before the table's own check.
update stock s
  set stock = s.stock - w.units, reserved = s.reserved + w.units
  from unnest($1::text[], $2::bigint[]) as w (product_id, units)
  where s.product_id = w.product_id and s.product_id = any($1::text[]) and s.stock >= w.units;

-- name: take_allotment
update sale_products sp
  set taken = sp.taken + w.units
  from unnest($2::text[], $3::bigint[]) as w (product_id, units)
  where sp.sale_number = $1 and sp.product_id = w.product_id and sp.product_id = any($2::text[])
    and (sp.quantity is null or sp.taken + w.units <= sp.quantity);

-- name: count_purchases
insert into purchases as p (sale_number, product_id, customer_id, quantity)
select $1, * from unnest($2::text[], $3::text[], $4::integer[])
on conflict (sale_number, product_id, customer_id) do update set quantity = p.quantity + excluded.quantity;

-- name: known_letters
-- Dead letters with the bytes of entries that come again; the hash is for the index alone.
select dead_letter_id, sale_number, partition, entry_id, payload from dead_letters
  where md5(payload) = any($1::text[]) and discarded_at is null;

-- name: fail_again
update dead_letters set failures = failures + 1, failed_at = clock_timestamp(), reason = $2, detail = $3
  where dead_letter_id = $1;

-- name: dead_letter
insert into dead_letters (sale_number, partition, entry_id, order_id, customer_id, payload, reason, detail)
select $1, $2, * from unnest($3::text[], $4::uuid[], $5::text[], $6::bytea[], $7::text[], $8::text[])
on conflict (sale_number, partition, entry_id) do nothing;

-- name: advance_cursor
-- Moves with the batch or not at all, and never without a predecessor: an entry is worked off exactly once.
update stream_cursors
  set entry_id = $4, drained = drained + $5, repeated = repeated + $6
  where sale_number = $1 and partition = $2 and entry_id = $3
returning drained;

-- name: read_cursor
-- A partition's cursor, made at its beginning.
with made as (
  insert into stream_cursors (sale_number, partition) values ($1, $2)
  on conflict do nothing
  returning entry_id, drained
)
select entry_id, drained from made
union all
select entry_id, drained from stream_cursors where sale_number = $1 and partition = $2
limit 1;

-- name: rewind_cursor
-- The order store lost its end, or all: entries may come below the cursor. Orders already present are recognised.
update stream_cursors set entry_id = $3 where sale_number = $1 and partition = $2;
