-- name: create_sale
with made as (
  insert into sales (sale_id, name, starts_at, ends_at, partitions, hold_s, prewarm_lead_s, room, payment,
                     hold_extension_s, standby_max)
  values ($1, $2, coalesce($3, clock_timestamp()), $4, $5, $6, $7, $8, $9, $10, $11)
  on conflict (sale_id) do nothing
  returning sale_number
)
insert into sale_plans (sale_number, timeline, prewarm, plan_closes_at)
select sale_number, $12::jsonb, $13::jsonb, $14::timestamptz from made
returning sale_number;

-- name: put_sale_products
-- Adds products to a sale or changes their terms there; what was taken stays.
insert into sale_products as sp (sale_number, product_id, price, quantity, limit_per_customer, limit_email, limit_card,
                                 limit_address, limit_device, list_position)
select $1, * from unnest($2::text[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::integer[],
                         $8::integer[], $9::integer[], $10::integer[])
on conflict (sale_number, product_id) do update
  set price = excluded.price, quantity = excluded.quantity, limit_per_customer = excluded.limit_per_customer,
      limit_email = excluded.limit_email, limit_card = excluded.limit_card, limit_address = excluded.limit_address,
      limit_device = excluded.limit_device, list_position = excluded.list_position;

-- name: lock_sale_products
select product_id from sale_products where sale_number = $1 order by product_id for update;

-- name: drop_sale_products
-- Only what has never been sold in this sale, and nobody waits for, can leave it.
delete from sale_products sp
  where sale_number = $1 and not product_id = any($2::text[]) and taken = 0
    and coalesce((select false from standby s
                    where s.product_id = sp.product_id and s.sale_number = $1 and s.served is null limit 1), true)
returning product_id;

-- name: forget_purchases
delete from purchases where sale_number = $1;

-- name: count_identities_anew
-- Adds what is missing of the units of orders not cancelled, nor standing by, of each identity whose kind has a limit, and
-- takes off what was counted and does not count any more. The numbers of all of the sale's products change with it.
with wanted as (
  select substring(o.identities from 2 + at for 16) as identity, l.product_id, sum(l.quantity - coalesce(l.cancelled, 0)) as units
    from orders o
    join order_lines l using (order_id)
    join sale_products sp on sp.sale_number = o.sale_number and sp.product_id = l.product_id
    cross join generate_series(0, length(o.identities) - 17, 17) as at
    where o.sale_number = $1 and o.status <> 'cancelled'
      and (array[sp.limit_email, sp.limit_card, sp.limit_address, sp.limit_device])[get_byte(o.identities, at)] is not null
      and not (o.status = 'pending' and not exists (select from reservations r where r.order_id = o.order_id))
    group by 1, 2
),
missing as (
  select identity, product_id, coalesce(w.units, 0) - coalesce(c.quantity, 0) as units
    from wanted w
    full join (select identity, product_id, quantity from identity_purchases where sale_number = $1) as c
      using (identity, product_id)
),
numbered as (
  update sale_products set people_number = nextval('people_numbers') where sale_number = $1
  returning product_id, people_number
)
insert into people_counts (number, sale_number, units, bucket, product_id, identities)
select n.people_number, $1, m.units, get_byte(m.identity, 0), m.product_id, string_agg(m.identity, ''::bytea)
  from missing m join numbered n using (product_id)
  where m.units <> 0
  group by 1, 3, 4, 5;

-- name: count_purchases_anew
insert into purchases (sale_number, product_id, customer_id, quantity)
select o.sale_number, l.product_id, o.customer_id, sum(l.quantity - coalesce(l.cancelled, 0))
  from orders o
  join order_lines l using (order_id)
  join sale_products sp on sp.sale_number = o.sale_number and sp.product_id = l.product_id
  where o.sale_number = $1 and o.status not in ('cancelled') and sp.limit_per_customer is not null
    and not (o.status = 'pending' and not exists (select from reservations r where r.order_id = o.order_id))
  group by 1, 2, 3;

-- name: unknown_products
select wanted.product_id
  from unnest($1::text[]) as wanted (product_id)
  left join lateral (select true as there from products p where p.product_id = wanted.product_id limit 1) p on true
  where p.there is null;

-- name: lock_currencies
-- Nobody changes them until the sale has its products: from then on a trigger of `products` keeps them.
select product_id, currency, active from products where product_id = any($1::text[]) order by product_id for share;

-- name: get_sale
select s.*, clock_timestamp() as now,
       array(select row(product_id, price, quantity, limit_per_customer, limit_email, limit_card, limit_address,
                        limit_device)
               from sale_products sp where sp.sale_number = s.sale_number order by list_position, product_id) as products
  from planned_sales s
  where sale_id = $1;

-- name: get_sale_again
-- The same for who has it in version $3 of the sale numbered $2: its products come only if it is another by now.
select s.*, clock_timestamp() as now,
       case when s.sale_number <> $2 or s.version <> $3 then
         array(select row(product_id, price, quantity, limit_per_customer, limit_email, limit_card, limit_address,
                          limit_device)
                 from sale_products sp where sp.sale_number = s.sale_number order by list_position, product_id)
       end as products
  from planned_sales s
  where sale_id = $1;

-- name: get_sale_by_number
select s.*, clock_timestamp() as now,
       array(select row(product_id, price, quantity, limit_per_customer, limit_email, limit_card, limit_address,
                        limit_device)
               from sale_products sp where sp.sale_number = s.sale_number order by list_position, product_id) as products
  from planned_sales s
  where sale_number = $1;

-- name: list_sales
-- Newest first; `$1` is the smallest sale_number of the page before. Shadows where $3 says so, and nothing else then.
select s.*, clock_timestamp() as now,
       array(select row(product_id, price, quantity, limit_per_customer, limit_email, limit_card, limit_address,
                        limit_device)
               from sale_products sp where sp.sale_number = s.sale_number order by list_position, product_id) as products
  from planned_sales s
  where ($1::integer is null or sale_number < $1) and is_shadow(sale_number) = $3
  order by sale_number desc
  limit $2;

-- name: live_rooms
select s.*, clock_timestamp() as now,
       array(select row(product_id, price, quantity, limit_per_customer, limit_email, limit_card, limit_address,
                        limit_device)
               from sale_products sp where sp.sale_number = s.sale_number order by list_position, product_id) as products
  from planned_sales s
  where phase <> 'closed' and (ends_at is null or ends_at > clock_timestamp())
    and (plan_closes_at is null or plan_closes_at > clock_timestamp())
    and (room ->> 'mode' <> 'off' or timeline @> '[{"room": {}}]')
  order by sale_number;

-- name: closed_sales_of
-- Closed sales of a product, by ops or by their plan: orders that they accepted may still wait.
select s.sale_number, s.partitions
  from planned_sales s
  cross join lateral (select from sale_products sp where sp.sale_number = s.sale_number and sp.product_id = $1 limit 1) sp
  where s.phase = 'closed' or s.plan_closes_at <= clock_timestamp()
  order by s.sale_number;

-- name: live_sales_of
-- Sales of a product that are not closed.
select s.*, clock_timestamp() as now,
       array(select row(product_id, price, quantity, limit_per_customer, limit_email, limit_card, limit_address,
                        limit_device)
               from sale_products sp where sp.sale_number = s.sale_number order by product_id) as products
  from planned_sales s
  cross join lateral (select from sale_products sp where sp.sale_number = s.sale_number and sp.product_id = $1 limit 1) sp
  where s.phase <> 'closed' and (s.plan_closes_at is null or s.plan_closes_at > clock_timestamp())
  order by s.sale_number;

-- name: live_sales
-- Sales that take orders, or closed ones whose work may not be done; with $1 shadows too, which are over when closed.
select sale_number, sale_id, partitions, phase, starts_at, ends_at, room_epoch, version, timeline, terms_at,
       prewarm_lead_s, prewarm, clock_timestamp() as now
  from planned_sales s
  where case when is_shadow(sale_number) then $1 and phase <> 'closed'
          else (phase <> 'closed'
              and (plan_closes_at is null or plan_closes_at > clock_timestamp() - interval '1 hour'))
            or closed_at > clock_timestamp() - interval '1 hour'
            or coalesce((select true from reservations r where r.sale_number = s.sale_number order by r.partition limit 1),
                        false)
        end
  order by sale_number;

-- name: lock_sale
-- One change of a sale at a time: what it leaves as it is, it writes again as it was read.
select sale_number from sales where sale_id = $1 for no key update;

-- name: lock_drains
-- A batch under way ends first; the next one reads the sale anew.
select name from shifts
  where name = any(array(
    select 'drain:' || s.sale_number || ':' || p from sales s cross join generate_series(0, s.partitions - 1) as p
      where s.sale_id = $1
  ))
  order by name
  for update;

-- name: any_order
select coalesce((select true from orders where sale_number = $1 order by partition limit 1), false);

-- name: update_sale
with plan as (
  insert into sale_plans (sale_number, timeline, prewarm, terms_at, plan_closes_at) values ($1, $10, $11, $14, $15)
  on conflict (sale_number) do update
    set timeline = excluded.timeline, prewarm = excluded.prewarm, terms_at = excluded.terms_at,
        plan_closes_at = excluded.plan_closes_at
)
update sales
  set name = $2, starts_at = $3, ends_at = $4, hold_s = $5, prewarm_lead_s = $6, payment = $7, hold_extension_s = $8,
      standby_max = $9, phase = $12::sale_phase, room = $13,
      closed_at = case when $12 = 'closed' then coalesce(closed_at, $14) end, version = version + 1
  where sale_number = $1;

-- name: set_terms
-- Phase and room as ops set them at a moment: what the timeline names until then stands in them.
with plan as (
  insert into sale_plans (sale_number, terms_at, plan_closes_at) values ($1, $4, $5)
  on conflict (sale_number) do update set terms_at = excluded.terms_at, plan_closes_at = excluded.plan_closes_at
)
update sales
  set phase = $2::sale_phase, room = $3, closed_at = case when $2 = 'closed' then coalesce(closed_at, $4) end,
      version = version + 1
  where sale_number = $1;

-- name: start_now
-- Opens a sale that was to start later.
update sales set starts_at = least(starts_at, clock_timestamp()) where sale_number = $1;

-- name: bump_room_epoch
update sales set room_epoch = room_epoch + 1, version = version + 1 where sale_id = $1;
