-- name: server_age
select extract(epoch from clock_timestamp() - pg_postmaster_start_time())::float8;

-- name: server_clock
select clock_timestamp();

-- name: doubtful_products
-- Products of a sale that cannot be sold as the sale says: switched off, without units, or with a larger allotment.
select sp.product_id, p.active, coalesce(s.stock, 0) as stock, sp.quantity - sp.taken as allotted
  from sale_products sp
  cross join lateral (select active from products i where i.product_id = sp.product_id limit 1) p
  left join lateral (select stock from stock i where i.product_id = sp.product_id limit 1) s on true
  where sp.sale_number = $1
    and (not p.active or coalesce(s.stock, 0) = 0 or sp.quantity - sp.taken > coalesce(s.stock, 0))
  order by sp.product_id
  limit $2;
