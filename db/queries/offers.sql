-- name: offers
-- What a sale offers now: each product that is not switched off, at the sale's price or its own, and what can still be had.
select sp.product_id, p.name, sp.price as sale_price, p.price, p.currency, sp.limit_per_customer,
       sp.limit_email, sp.limit_card, sp.limit_address, sp.limit_device,
       least(s.stock, coalesce(sp.quantity - sp.taken, s.stock)) as units,
       (select jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                           (extract(epoch from ends_at) * 1000000)::bigint, r.price))
          from product_prices r where r.product_id = sp.product_id) as windows
  from sale_products sp
  cross join lateral (
    select name, price, currency, active from products where product_id = sp.product_id limit 1
  ) p
  cross join lateral (select stock from stock where product_id = sp.product_id limit 1) s
  where sp.sale_number = $1 and p.active
  order by sp.product_id;
