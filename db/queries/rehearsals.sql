-- Rehearsals and their shadows: made, kept alive by a lease, removed without a trace.

-- name: one_at_a_time
select pg_advisory_xact_lock(4906200703);

-- name: standing
-- The rehearsal whose shadow is there still, whichever sale's.
select r.rehearsal_id, s.sale_id
  from rehearsals r cross join lateral (select sale_id from sales s where s.sale_number = r.sale_number limit 1) s
  where r.removed_at is null
  order by r.lease_expires_at
  limit 1;

-- name: sales_on
-- Sales whose window is open now or opens within $1 seconds: a rehearsal would take from them. At most $2.
select sale_id from real.sales
  where phase in ('open', 'hold', 'drain') and starts_at <= clock_timestamp() + make_interval(secs => $1::float8)
    and (ends_at is null or ends_at > clock_timestamp())
  order by sale_number
  limit $2;

-- name: make_shadow
with made as (
  insert into sales (sale_number, sale_id, name, starts_at, partitions, hold_s, room, payment, hold_extension_s, standby_max)
  overriding system value
  select n.number, 'rehearsal-' || n.number || '-' || substr(gen_random_uuid()::text, 1, 8),
         left('Rehearsal of ' || coalesce(name, sale_id), 500), clock_timestamp(), partitions, hold_s, $2, payment,
         hold_extension_s, standby_max
    from real.sales s cross join (select nextval('shadow_numbers')::integer as number) n
    where s.sale_number = $1
  returning sale_number, sale_id, partitions
), plan as (
  insert into sale_plans (sale_number, shadow_of) select sale_number, $1::integer from made
)
select sale_number, sale_id, partitions from made;

-- name: copy_products
-- A shadow of each product of the sale, in the sale's order.
insert into products (product_id, name, brand, category, description, price, currency, active, attributes, shadow)
select 'shadow~' || $2::integer || '~' || place, name, brand, category, description, price, currency, active, attributes, true
  from (
    select product_id as original, row_number() over (order by list_position, product_id) as place
      from sale_products where sale_number = $1
  ) sp
  cross join lateral (select * from products i where i.product_id = sp.original limit 1) p
  order by 1;

-- name: copy_prices
insert into product_prices (product_id, starts_at, ends_at, price)
select 'shadow~' || $2::integer || '~' || sp.place, r.starts_at, r.ends_at, r.price
  from (
    select product_id, row_number() over (order by list_position, product_id) as place
      from sale_products where sale_number = $1
  ) sp
  cross join lateral (select * from product_prices i where i.product_id = sp.product_id order by starts_at) r;

-- name: copy_sale_products
-- Without allotments: what is rehearsed is the way of an order, and that ends where nothing is left.
insert into sale_products (sale_number, product_id, price, limit_per_customer, limit_email, limit_card, limit_address,
                           limit_device, list_position)
select $2::integer, 'shadow~' || $2::integer || '~' || row_number() over (order by list_position, product_id), price,
       limit_per_customer, limit_email, limit_card, limit_address, limit_device, list_position
  from sale_products where sale_number = $1
  order by 2;

-- name: stock_shadows
with received as (
  insert into stock (product_id, stock, received)
  select product_id, $2::bigint, $2::bigint from sale_products where sale_number = $1 order by product_id
  returning product_id, received
)
insert into stock_movements (product_id, quantity, reason)
select product_id, received, 'rehearsal' from received;

-- name: add
insert into rehearsals (sale_number, shadow_number, shadow_id, partitions, lease_expires_at)
values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5::float8))
returning rehearsal_id;

-- name: read
select r.*, coalesce(lease_expires_at <= clock_timestamp(), false) as lease_over from rehearsals r
  where sale_number = $1 and rehearsal_id = $2;

-- name: list
-- Newest first, below $2.
select r.*, coalesce(lease_expires_at <= clock_timestamp(), false) as lease_over from rehearsals r
  where sale_number = $1 and rehearsal_id < coalesce($2::bigint, 9223372036854775807)
  order by rehearsal_id desc
  limit $3;

-- name: renew
-- No row: it was closed, or lasts too long.
update rehearsals
  set lease_expires_at = clock_timestamp() + make_interval(secs => $2::float8)
  where rehearsal_id = $1 and closed_at is null and lease_expires_at > clock_timestamp()
    and started_at > clock_timestamp() - make_interval(secs => $3::float8)
returning rehearsal_id;

-- name: finish
update rehearsals set result = $2, finished_at = clock_timestamp()
  where rehearsal_id = $1 and finished_at is null
returning rehearsal_id;

-- name: close
-- The shadow takes no order any more; what is left of it may be removed $2 seconds from now.
with closed as (
  update rehearsals
    set closed_at = clock_timestamp(), remove_at = clock_timestamp() + make_interval(secs => $2::float8)
    where rehearsal_id = $1 and closed_at is null
  returning shadow_number
)
update sales set phase = 'closed', closed_at = clock_timestamp(), version = version + 1
  where sale_number = (select shadow_number from closed) and phase <> 'closed';

-- name: sooner
update rehearsals set remove_at = least(remove_at, clock_timestamp() + make_interval(secs => $2::float8))
  where rehearsal_id = $1 and removed_at is null;

-- name: any_over
select coalesce((
  select true from rehearsals
    where removed_at is null
      and (closed_at is null and lease_expires_at <= clock_timestamp() or remove_at <= clock_timestamp())
    limit 1
), false);

-- name: over
-- Whose lease has ended, or that may be removed now; the oldest first.
select rehearsal_id, shadow_number, shadow_id, partitions, closed_at is not null as closed from rehearsals
  where removed_at is null
    and (closed_at is null and lease_expires_at <= clock_timestamp() or remove_at <= clock_timestamp())
  order by rehearsal_id
  limit 1;

-- name: traces
-- Every table in which a shadow may leave rows, and the column that says whose a row is: what has one is among them, also
-- a table that comes later; but not what shadows are kept from by the triggers of products and by `real.order_events`. In
-- an order in which no row is left behind that another refers to.
select c.table_name::text as table_name, c.column_name::text as column_name
  from (
    select t.table_name, k.column_name,
           row_number() over (
             partition by t.table_name
             order by k.is_nullable, array_position(array['order_id', 'shipment_id', 'sale_number', 'sale_id', 'product_id'],
                                                    k.column_name::text)
           ) as choice
      from information_schema.tables t
      join information_schema.columns k using (table_schema, table_name)
      where t.table_schema = 'public' and t.table_type = 'BASE TABLE'
        and t.table_name not in ('rehearsals', 'product_changes', 'webhook_deliveries', 'webhook_replays')
        and k.column_name in ('order_id', 'shipment_id', 'sale_number', 'sale_id', 'product_id')
  ) c
  where choice = 1
  order by array_position(array['products', 'sales', 'shipments'], c.table_name::text) desc nulls first, c.table_name;

-- name: remove_some
-- Some rows of a shadow, of one of these tables; see `remove_shadow_rows`.
select remove_shadow_rows($1, $2, $3, $4);

-- name: end_shifts
-- Who works on a closed shadow commits nothing any more; nobody begins again.
delete from shifts where split_part(name, ':', 2) = $1::integer::text;

-- name: removed
update rehearsals set removed_at = clock_timestamp() where rehearsal_id = $1;
