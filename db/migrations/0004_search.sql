-- What search reads: the words of a product, weighted by where they stand, and when it was added.

-- Words apart, small letters; decimals stay whole, thousands lose their comma.
create function search_words(said text) returns text language sql immutable strict parallel safe as $$
  select regexp_replace(regexp_replace(lower(said), '(\d),(?=\d{3})', '\1', 'g'),
                        '[^[:alnum:].]+|\.(?!\d)|(?<!\d)\.', ' ', 'g')
$$;

-- Model numbers in one piece: dv7-1211ea also as dv71211ea.
create function search_models(said text) returns text language sql immutable strict parallel safe as $$
  select coalesce(string_agg(regexp_replace(found[1], '[^[:alnum:]]+', '', 'g'), ' '), '')
    from regexp_matches(lower(said), '[[:alnum:]]+(?:[-/._+][[:alnum:]]+)+', 'g') as found
    where found[1] ~ '\d'
$$;

-- The texts among a product's attributes.
create function search_attributes(attributes jsonb) returns text language sql immutable strict parallel safe as $$
  select coalesce(left(string_agg(value #>> '{}', ' . '), 8000), '')
    from jsonb_path_query(attributes, 'strict $.** ? (@.type() == "string")') as value
$$;

-- A: the name up to what it is for or comes with, the product's id, model numbers; B: brand and category;
-- C: the rest of the name and the description; D: attributes. Unstemmed words of the name stand without a place:
-- they are found, by the beginning of a word too, and count for little.
create function search_vector(product_id text, name text, brand text, category text, description text, attributes jsonb)
returns tsvector language sql immutable parallel safe as $$
  select setweight(to_tsvector('catalogue_words', search_words(said.head)), 'A')
      || setweight(to_tsvector('catalogue_exact', search_models(name) || ' ' || search_words(product_id) || ' '
                                                  || search_models(product_id)), 'A')
      || setweight(to_tsvector('catalogue_words', search_words(brand || ' ; ' || category)), 'B')
      || setweight(to_tsvector('catalogue_words',
                               search_words(substr(name, length(said.head) + 1) || ' ; ' || coalesce(description, ''))), 'C')
      || setweight(to_tsvector('catalogue_words', search_words(said.more)), 'D')
      || strip(to_tsvector('catalogue_exact', search_words(name) || ' ' || search_models(said.more)))
    from (select coalesce(substring(name from '^(.+?)\y(?:for|with|without|incl|including)\y'), name) as head,
                 search_attributes(attributes) as more) said
$$;

alter table products drop column search;
alter table products add column created_at timestamptz not null default now();
alter table products add column search tsvector not null generated always as (
  search_vector(product_id, name, brand, category, description, attributes)
) stored;

create index products_search on products using gin (search) where active;
create index products_by_brand on products (lower(brand), brand) where active;
create index products_by_category_name on products (lower(category), category) where active;
