-- name: put_product
-- A new product, or a new version of one; the same again changes nothing.
with put as (
  insert into products as p (product_id, name, brand, category, description, price, currency, active, attributes)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
  on conflict (product_id) do update
    set name = excluded.name, brand = excluded.brand, category = excluded.category,
        description = excluded.description, price = excluded.price, currency = excluded.currency,
        active = excluded.active, attributes = excluded.attributes,
        version = p.version + 1, updated_at = clock_timestamp()
    where (p.name, p.brand, p.category, p.description, p.price, p.currency, p.active, p.attributes)
      is distinct from (excluded.name, excluded.brand, excluded.category, excluded.description, excluded.price,
                        excluded.currency, excluded.active, excluded.attributes)
)
insert into stock (product_id) values ($1) on conflict do nothing;

-- name: get_product
select product_id, name, brand, category, description, price, currency, active, attributes, version, updated_at
  from products where product_id = $1;

-- name: make_import_table
create temporary table imported (
  line        bigint,
  product_id  text,
  name        text,
  brand       text,
  category    text,
  description text,
  price       bigint,
  currency    text,
  active      boolean,
  attributes  jsonb,
  stock       bigint
) on commit drop;

-- name: merge_imported_products
-- A product that stands twice in a chunk counts as its last line says.
with latest as (
  select distinct on (product_id) * from imported order by product_id, line desc
)
insert into products as p (product_id, name, brand, category, description, price, currency, active, attributes)
select product_id, name, brand, category, description, price, currency, active, attributes
  from latest order by product_id
on conflict (product_id) do update
  set name = excluded.name, brand = excluded.brand, category = excluded.category,
      description = excluded.description, price = excluded.price, currency = excluded.currency,
      active = excluded.active, attributes = excluded.attributes,
      version = p.version + 1, updated_at = clock_timestamp()
  where (p.name, p.brand, p.category, p.description, p.price, p.currency, p.active, p.attributes)
    is distinct from (excluded.name, excluded.brand, excluded.category, excluded.description, excluded.price,
                      excluded.currency, excluded.active, excluded.attributes);

-- name: stock_imported_products
-- Stock comes with a product's first import only: importing again is safe and receives nothing twice.
with latest as (
  select distinct on (product_id) product_id, coalesce(stock, 0) as units from imported order by product_id, line desc
),
new as (
  insert into stock (product_id, stock, received)
  select product_id, units, units from latest order by product_id
  on conflict do nothing
  returning product_id, received
)
insert into stock_movements (product_id, quantity, reason)
select product_id, received, 'import' from new where received > 0;

-- name: settle_catalogue
-- After many new rows: the planner, and search by it, learns which words are common; the index takes in what waits.
vacuum (analyze) products, stock;
