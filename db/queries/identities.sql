-- Units of limited products by who is behind the customer: rows of `people_counts` are only ever added. Whoever adds some,
-- for units taken or given back, holds the product's row of `sale_products`, so these rows are never locked by themselves
-- (docs/locking.md).

-- name: read_identities
-- What each of some people have, by product. The identities come one behind the other, of 16 bytes each: an array of
-- thousands costs its sender more than the look-ups. Identities stand at every 16th byte of a row; elsewhere is by chance.
select p.product_id, w.identity, sum(p.units)::integer
  from (
    select distinct substring($2::bytea from at for 16) as identity from generate_series(1, length($2::bytea) - 15, 16) as at
  ) as w
  cross join lateral (
    select b.product_id, b.units from people_counts b
      where b.sale_number = $1 and b.bucket = get_byte(w.identity, 0) and position(w.identity in b.identities) % 16 = 1
      offset 0
  ) as p
  group by 1, 2;

-- name: people_since
-- What was counted of each product after its number, at most $4 rows of each, but all of the last one's number.
select w.product_id, p.number, p.units, p.identities
  from unnest($2::text[], $3::bigint[]) as w (product_id, number)
  cross join lateral (
    select b.number, b.units, b.identities from people_counts b
      where b.sale_number = $1 and b.product_id = w.product_id and b.number > w.number
      order by b.number
      fetch first ($4::integer) rows with ties
  ) as p;

-- name: number_people
-- Of a sequence, under the products' locks: higher than all that was counted of them before, in whichever transaction.
update sale_products set people_number = nextval('people_numbers')
  where sale_number = $1 and product_id = any($2::text[])
returning product_id, people_number;

-- name: give_back
-- What whole orders had; of a kind without a limit nothing was counted.
with units as materialized (
  select o.sale_number, substring(o.identities from 2 + at for 16) as identity, l.product_id,
         sum(l.quantity - coalesce(l.cancelled, 0)) as units
    from orders o join order_lines l using (order_id)
    cross join generate_series(0, length(o.identities) - 17, 17) as at
    cross join lateral (
      select array[limit_email, limit_card, limit_address, limit_device] as limits from sale_products b
        where b.sale_number = o.sale_number and b.product_id = l.product_id
        offset 0
    ) as sp
    where o.order_id = any($1::uuid[]) and l.order_id = any($1::uuid[]) and o.identities is not null
      and sp.limits[get_byte(o.identities, at)] is not null
    group by 1, 2, 3
),
numbered as (
  update sale_products sp set people_number = nextval('people_numbers')
    where sp.sale_number = any(array(select sale_number from units))
      and sp.product_id = any(array(select product_id from units))
      and (sp.sale_number, sp.product_id) in (select sale_number, product_id from units)
  returning sp.sale_number, sp.product_id, sp.people_number
)
insert into people_counts (number, sale_number, units, bucket, product_id, identities)
select n.people_number, u.sale_number, -u.units, get_byte(u.identity, 0), u.product_id, string_agg(u.identity, ''::bytea)
  from units u join numbered n using (sale_number, product_id)
  where u.units > 0
  group by 1, 2, 3, 4, 5;

-- name: return_units
-- The same of some units of one order, by product.
with units as materialized (
  select o.sale_number, substring(o.identities from 2 + at for 16) as identity, w.product_id, w.units
    from orders o
    cross join generate_series(0, length(o.identities) - 17, 17) as at
    cross join unnest($2::text[], $3::integer[]) as w (product_id, units)
    cross join lateral (
      select array[limit_email, limit_card, limit_address, limit_device] as limits from sale_products b
        where b.sale_number = o.sale_number and b.product_id = w.product_id
        offset 0
    ) as sp
    where o.order_id = $1 and sp.limits[get_byte(o.identities, at)] is not null
),
numbered as (
  update sale_products sp set people_number = nextval('people_numbers')
    where sp.sale_number = any(array(select sale_number from units))
      and sp.product_id = any(array(select product_id from units))
  returning sp.sale_number, sp.product_id, sp.people_number
)
insert into people_counts (number, sale_number, units, bucket, product_id, identities)
select n.people_number, u.sale_number, -u.units, get_byte(u.identity, 0), u.product_id, string_agg(u.identity, ''::bytea)
  from units u join numbered n using (sale_number, product_id)
  where u.units > 0
  group by 1, 2, 3, 4, 5;

-- name: lock_buyer
-- Whose card it is; the key is the sale's.
select sale_number, identities, (select identity_key from sales s where s.sale_number = o.sale_number) as key,
       array(select row(product_id, quantity - coalesce(cancelled, 0), line) from order_lines l where l.order_id = o.order_id
               order by line) as lines
  from orders o where order_id = $1 for no key update;

-- name: lock_card_limits
select product_id, limit_card from sale_products
  where sale_number = $1 and product_id = any($2::text[]) order by product_id for update;

-- name: note_refusal
update orders set refusal = $2 where order_id = $1;

-- name: note_card
update orders set identities = coalesce(identities, '') || $2::bytea where order_id = $1;
