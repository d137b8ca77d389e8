-- The catalogue as shoppers read and search it: price windows, the outbox of changes, listings, search.

create extension if not exists pg_trgm;
create extension if not exists unaccent;

-- English words without accents, stemmed; and words as they stand, for model numbers.
create text search configuration catalogue_words (copy = pg_catalog.english);
alter text search configuration catalogue_words
  alter mapping for hword, hword_part, word with unaccent, english_stem;
create text search configuration catalogue_exact (copy = pg_catalog.simple);
alter text search configuration catalogue_exact
  alter mapping for hword, hword_part, word with unaccent, simple;

alter table products add column search tsvector not null generated always as (
  setweight(to_tsvector('catalogue_words', name), 'A')
  || setweight(to_tsvector('catalogue_exact', name), 'A')
  || setweight(to_tsvector('catalogue_exact', product_id), 'A')
  || setweight(to_tsvector('catalogue_exact', brand), 'B')
  || setweight(to_tsvector('catalogue_words', category), 'B')
  || setweight(to_tsvector('catalogue_words', coalesce(description, '')), 'C')
) stored;

create index products_search on products using gin (search) where active;
create index products_name_trigrams on products using gin (lower(name) gin_trgm_ops) where active;
create index products_by_category on products (category, product_id) where active;
create index products_listed on products (product_id) where active;

-- Prices for a time: from starts_at until before ends_at this price holds in place of the product's own.
-- Evaluated when a product is read, never by a job; where windows overlap, the one that began last holds.
create table product_prices (
  product_id text not null references products,
  starts_at  timestamptz not null,
  ends_at    timestamptz,                        -- null: until another window begins
  price      bigint not null check (price >= 0), -- minor units of the product's currency
  primary key (product_id, starts_at),
  constraint price_window check (ends_at > starts_at)
);

-- One row for each new version of a product, written by triggers in the transaction of the change, whoever makes it.
-- The outbox that caches, CDNs and search indexes are kept right from. `tx` as in order_events.
create table product_changes (
  product_id      text not null,
  version         bigint not null,
  category        text not null,
  former_category text,                          -- when the product moved
  at              timestamptz not null default clock_timestamp(),
  position        bigint generated always as identity,
  tx              xid8 not null default pg_current_xact_id(),
  primary key (tx, position)
);

create index product_changes_recent on product_changes (at);

create function note_new_products() returns trigger language plpgsql as $$
begin
  insert into product_changes (product_id, version, category)
    select product_id, version, category from new_rows;
  return null;
end $$;

create function note_changed_products() returns trigger language plpgsql as $$
begin
  insert into product_changes (product_id, version, category, former_category)
    select n.product_id, n.version, n.category, nullif(o.category, n.category)
      from new_rows n join old_rows o using (product_id);
  return null;
end $$;

-- A new price window is a new version of its product.
create function note_changed_prices() returns trigger language plpgsql as $$
begin
  update products set version = version + 1, updated_at = clock_timestamp()
    where product_id in (select product_id from changed_rows);
  return null;
end $$;

create trigger products_added after insert on products
  referencing new table as new_rows for each statement execute function note_new_products();
create trigger products_changed after update on products
  referencing old table as old_rows new table as new_rows for each statement execute function note_changed_products();
create trigger prices_added after insert on product_prices
  referencing new table as changed_rows for each statement execute function note_changed_prices();
create trigger prices_removed after delete on product_prices
  referencing old table as changed_rows for each statement execute function note_changed_prices();
create trigger prices_changed after update on product_prices
  referencing new table as changed_rows for each statement execute function note_changed_prices();
