-- What shoppers read. Runs on replicas; nothing here writes or locks.

-- name: read_product
-- Windows long over are left out; times in microseconds of the Unix epoch.
select p.product_id, p.name, p.brand, p.category, p.description, p.price, p.currency, p.active, p.attributes,
       p.version, p.updated_at, coalesce(s.stock, 0) as units, w.windows
  from real.products p
  left join stock s using (product_id)
  cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                                (extract(epoch from ends_at) * 1000000)::bigint, price)
                              order by starts_at), '[]') as windows
      from product_prices r
      where r.product_id = p.product_id and (r.ends_at is null or r.ends_at > now() - interval '1 hour')
  ) w
  where p.product_id = $1;

-- name: read_products
-- As read_product, several: each is looked up by itself, whatever the planner knows of the table.
select p.product_id, p.name, p.brand, p.category, p.description, p.price, p.currency, p.active, p.attributes,
       p.version, p.updated_at, coalesce(s.stock, 0) as units, w.windows
  from unnest($1::text[]) as wanted (product_id)
  cross join lateral (select * from real.products i where i.product_id = wanted.product_id limit 1) p
  left join lateral (select stock from stock i where i.product_id = wanted.product_id limit 1) s on true
  cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                                (extract(epoch from ends_at) * 1000000)::bigint, price)
                              order by starts_at), '[]') as windows
      from product_prices r
      where r.product_id = p.product_id and (r.ends_at is null or r.ends_at > now() - interval '1 hour')
  ) w;

-- name: list_category
select p.product_id, p.name, p.brand, p.category, null as description, p.price, p.currency, p.active, null as attributes,
       p.version, p.updated_at, coalesce(s.stock, 0) as units, w.windows
  from (
    select * from real.products where active and category = $1 and (category, product_id) > ($1, $2)
      order by category, product_id limit $3
  ) p
  left join stock s using (product_id)
  cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                                (extract(epoch from ends_at) * 1000000)::bigint, price)
                              order by starts_at), '[]') as windows
      from product_prices r
      where r.product_id = p.product_id and (r.ends_at is null or r.ends_at > now() - interval '1 hour')
  ) w
  order by p.product_id;

-- name: list_all
select p.product_id, p.name, p.brand, p.category, null as description, p.price, p.currency, p.active, null as attributes,
       p.version, p.updated_at, coalesce(s.stock, 0) as units, w.windows
  from (
    select * from real.products where active and product_id > $1 order by product_id limit $2
  ) p
  left join stock s using (product_id)
  cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                                (extract(epoch from ends_at) * 1000000)::bigint, price)
                              order by starts_at), '[]') as windows
      from product_prices r
      where r.product_id = p.product_id and (r.ends_at is null or r.ends_at > now() - interval '1 hour')
  ) w
  order by p.product_id;

-- name: remove_prices
delete from product_prices where product_id = $1;

-- name: add_prices
insert into product_prices (product_id, starts_at, ends_at, price)
select $1, * from unnest($2::timestamptz[], $3::timestamptz[], $4::bigint[]);

-- name: list_prices
select starts_at, ends_at, price from product_prices where product_id = $1 order by starts_at;
