-- Search over the products' vectors. Runs on replicas; nothing here writes or locks.

-- name: bound
-- For this transaction: an end to every statement, plans made for the very words asked, how alike a misspelt word is.
select set_config('statement_timeout', $1, true), set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('pg_trgm.word_similarity_threshold', '0.45', true);

-- name: search
-- $1 what must match; for relevance: $2 as written, $3 so in the name, $4 in the name or brand in other words too,
-- $5 as a phrase in the name, $6 words in the name that make it an accessory. $7 categories, $8 brands, $9 and $10
-- prices; $11 sort; $12 and $13 key and product to go on behind; $14 hits; $15 matches looked at; $16 price steps;
-- $17 facet values.
with chosen as materialized (
  select p.product_id, p.category, p.brand, p.price,
         case $11::text
           when 'price' then -p.price::float8
           when '-price' then p.price::float8
           when 'newest' then (extract(epoch from p.created_at) * 1000000)::float8
           else case when $1::text is null then 0 else round((
             ts_rank('{0.05, 0.3, 0.5, 1}', p.search, to_tsquery('catalogue_words', $2))
             + (p.search @@ to_tsquery('catalogue_words', $2))::int
             + (p.search @@ to_tsquery('catalogue_words', $3))::int
             + 0.5 * (p.search @@ to_tsquery('catalogue_words', $4))::int
             + 0.5 * (p.search @@ to_tsquery('catalogue_words', $5))::int
             - 0.7 * (p.search @@ to_tsquery('catalogue_words', $6))::int
             + 14.0 / (28 + length(p.name)))::numeric, 6)::float8 end
         end as key
    from products p
    where p.active and ($1::text is null or p.search @@ to_tsquery('catalogue_words', $1))
      and ($7::text[] is null or p.category = any ($7)) and ($8::text[] is null or p.brand = any ($8))
      and ($9::bigint is null or p.price >= $9) and ($10::bigint is null or p.price <= $10)
    limit $15 + 1
),
-- What the filters keep out, for the facets that leave their own filter out.
others as materialized (
  select p.category, p.brand, p.price, p.in_category, p.in_brand, p.in_price
    from (
      select *, ($7::text[] is null or category = any ($7)) as in_category,
             ($8::text[] is null or brand = any ($8)) as in_brand,
             (($9::bigint is null or price >= $9) and ($10::bigint is null or price <= $10)) as in_price
        from products
    ) p
    where num_nonnulls($7::text[], $8::text[], $9::bigint, $10::bigint) > 0
      and p.active and ($1::text is null or p.search @@ to_tsquery('catalogue_words', $1))
      and not (p.in_category and p.in_brand and p.in_price)
    limit $15 + 1
),
matched as (
  select category, brand, price, true as in_category, true as in_brand, true as in_price from chosen
  union all
  select * from others
),
hits as (
  select product_id, key from chosen
    where $12::float8 is null or key < $12 or (key = $12 and product_id > $13)
    order by key desc, product_id
    limit $14 + 1
),
categories as (
  select category as value, count(*) as n from matched where in_brand and in_price
    group by 1 order by 2 desc, 1 limit $17
),
brands as (
  select brand as value, count(*) as n from matched where in_category and in_price
    group by 1 order by 2 desc, 1 limit $17
),
prices as (
  select width_bucket(price, $16::bigint[]) - 1 as step, count(*) as n from matched where in_category and in_brand
    group by 1
)
select (select count(*) from matched) as matched,
       (select count(*) from chosen) as total,
       (select coalesce(jsonb_agg(jsonb_build_array(product_id, key) order by key desc, product_id), '[]') from hits)
         as hits,
       (select coalesce(jsonb_agg(jsonb_build_array(value, n) order by n desc, value), '[]') from categories)
         as categories,
       (select coalesce(jsonb_agg(jsonb_build_array(value, n) order by n desc, value), '[]') from brands) as brands,
       (select coalesce(jsonb_agg(jsonb_build_array(step, n)), '[]') from prices) as prices;

-- name: correct
-- The words of names most like each of $1 that no product has; a word written in more names first. $2 names looked at.
select asked.word, found.word as corrected
  from unnest($1::text[]) as asked (word)
  cross join lateral (
    select w.word
      from (
        select name from products where active and lower(name) %> asked.word limit $2
      ) p
      cross join lateral regexp_split_to_table(lower(p.name), '[^[:alnum:]]+') as w (word)
      where length(w.word) > 2 and similarity(w.word, asked.word) >= 0.3
      group by w.word
      order by similarity(w.word, asked.word) desc, count(*) desc, w.word
      limit 2
  ) found
  where not exists (
    select from products p where p.active and p.search @@ to_tsquery('catalogue_words', quote_literal(asked.word))
  );

-- name: suggest
-- $1 the words with the last unfinished, $2 the beginning as typed, for LIKE, $3 how many of each kind, $4 names looked at.
(select 'brand' as kind, brand as text from products where active and lower(brand) like $2
   group by brand order by count(*) desc, brand limit $3)
union all
(select 'category', category from products where active and lower(category) like $2
   group by category order by count(*) desc, category limit $3)
union all
(select 'product', name from (
     select name from products where active and search @@ to_tsquery('catalogue_words', $1) limit $4
   ) p group by name order by length(name), name limit $3);

-- name: read_items
-- Products as lists show them, in the order of $1; what is gone or not active is left out.
select p.product_id, p.name, p.brand, p.category, null as description, p.price, p.currency, p.active, null as attributes,
       p.version, p.updated_at, coalesce(s.stock, 0) as units, w.windows
  from unnest($1::text[]) with ordinality as wanted (product_id, place)
  join products p using (product_id)
  left join stock s using (product_id)
  cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                                (extract(epoch from ends_at) * 1000000)::bigint, price)
                              order by starts_at), '[]') as windows
      from product_prices r
      where r.product_id = p.product_id and (r.ends_at is null or r.ends_at > now() - interval '1 hour')
  ) w
  where p.active
  order by wanted.place;

-- name: read_documents
-- What a search index keeps of these products.
select product_id, name, brand, category, description, search_attributes(attributes) as attributes, price, active,
       (extract(epoch from created_at) * 1000000)::bigint as created_us, version
  from products where product_id = any ($1::text[]);

-- name: page_documents
-- The same of all products, a page at a time.
select product_id, name, brand, category, description, search_attributes(attributes) as attributes, price, active,
       (extract(epoch from created_at) * 1000000)::bigint as created_us, version
  from products where product_id > $1 order by product_id limit $2;
