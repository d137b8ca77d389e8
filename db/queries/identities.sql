-- Units of limited products by who is behind the customer. Whoever counts them, up or down, holds the product's row of
-- `sale_products`, so these rows are never locked by themselves (docs/locking.md).

-- name: give_back
-- What whole orders had of them; an identity that is not counted, for there was no limit, has no row.
with units as materialized (
  select o.sale_number, substring(o.identities from 2 + at for 16) as identity, l.product_id,
         sum(l.quantity - coalesce(l.cancelled, 0)) as units
    from orders o join order_lines l using (order_id)
    cross join generate_series(0, length(o.identities) - 17, 17) as at
    where o.order_id = any($1::uuid[]) and l.order_id = any($1::uuid[]) and o.identities is not null
    group by 1, 2, 3
),
found as materialized (
  select p.place, units.units
    from units cross join lateral (
      select ctid as place from identity_purchases b
        where b.sale_number = units.sale_number and b.identity = units.identity and b.product_id = units.product_id
        offset 0
    ) p
)
update identity_purchases p
  set quantity = p.quantity - found.units
  from found
  where p.ctid = found.place and p.ctid = any(array(select place from found));

-- name: return_units
-- The same of some units of one order, by product.
with found as materialized (
  select p.place, w.units
    from orders o
    cross join generate_series(0, length(o.identities) - 17, 17) as at
    cross join unnest($2::text[], $3::integer[]) as w (product_id, units)
    cross join lateral (
      select ctid as place from identity_purchases b
        where b.sale_number = o.sale_number and b.identity = substring(o.identities from 2 + at for 16)
          and b.product_id = w.product_id
        offset 0
    ) p
    where o.order_id = $1
)
update identity_purchases p
  set quantity = p.quantity - found.units
  from found
  where p.ctid = found.place and p.ctid = any(array(select place from found));

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
