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
  product_id  text primary key,
  name        text,
  brand       text,
  category    text,
  described   boolean,  -- false: the line says nothing of the description, a product keeps its own
  description text,
  price       bigint,
  currency    text,
  active      boolean,  -- null: the line says nothing
  attributes  jsonb,    -- null: the line says nothing
  stock       bigint
) on commit drop;

-- name: merge_imported_products
-- What a line says nothing of stays as it is in a product that exists, also if somebody changes it meanwhile: it is
-- taken from the row that the conflict locked. A new product gets the defaults.
with merged as (
  insert into products as p (product_id, name, brand, category, description, price, currency, active, attributes)
  select product_id, name, brand, category, description, price, currency, coalesce(active, true),
         coalesce(attributes, '{}')
    from imported order by product_id
  on conflict (product_id) do update
    set name = excluded.name, brand = excluded.brand, category = excluded.category,
        price = excluded.price, currency = excluded.currency,
        (description, active, attributes) = (
          select case when i.described then i.description else p.description end,
                 coalesce(i.active, p.active), coalesce(i.attributes, p.attributes)
            from imported i where i.product_id = p.product_id),
        version = p.version + 1, updated_at = clock_timestamp()
    where (p.name, p.brand, p.category, p.price, p.currency)
          is distinct from (excluded.name, excluded.brand, excluded.category, excluded.price, excluded.currency)
       or exists (
         select from imported i
           where i.product_id = p.product_id
             and (i.described and i.description is distinct from p.description
                  or i.active <> p.active or i.attributes <> p.attributes))
  returning p.version
)
select count(*) filter (where version = 1) as new, count(*) filter (where version > 1) as changed from merged;

-- name: stock_imported_products
-- Stock comes with a product's first import only: importing again is safe and receives nothing twice.
with new as (
  insert into stock (product_id, stock, received)
  select product_id, coalesce(stock, 0), coalesce(stock, 0) from imported order by product_id
  on conflict do nothing
  returning product_id, received
)
insert into stock_movements (product_id, quantity, reason)
select product_id, received, 'import' from new where received > 0;

-- name: make_import_lines
-- In which line of the import under way a product stood last; for the length of the session.
create temporary table if not exists import_lines (product_id text primary key, line bigint not null);

-- name: empty_import_lines
truncate import_lines;

-- name: earlier_import_lines
select product_id, line from import_lines where product_id = any($1::text[]);

-- name: keep_import_lines
insert into import_lines (product_id, line)
select * from unnest($1::text[], $2::bigint[])
on conflict (product_id) do update set line = excluded.line;

-- name: settle_catalogue
-- After many new rows: the planner, and search by it, learns which words are common; the index takes in what waits.
vacuum (analyze) products, stock;
