-- Search over the products' vectors. Runs on replicas; nothing here writes or locks.

-- name: bound
-- For this transaction: an end to every statement, plans made for the very words asked, how alike a misspelt word is.
-- And what is asked, $2, folded as what is indexed is.
select search_fold($2) as folded, set_config('statement_timeout', $1, true),
       set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('pg_trgm.word_similarity_threshold', '0.45', true),
       set_config('enable_seqscan', 'on', true), set_config('enable_nestloop', 'on', true);

-- name: fold
-- For a search elsewhere.
select search_fold($1);

-- name: rarities
-- How much each of $1 says: the rarer the more, nothing for words that do not count. How common a word is the planner
-- knows; a word that it does not know is as rare as the rarest it does. Without statistics every word says the same.
-- In whole steps, so that little growth of the catalogue changes no order between one page and the next.
with known as materialized (
  select c.lexeme, c.part
    from pg_stats s, unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) as c (lexeme, part)
    where s.schemaname = current_schema() and s.tablename = 'products' and s.attname = 'search'
),
rarest as (
  select min(part) as part from known
)
select asked.word,
       case when l.lexemes = '{}' then 0 else greatest(1, coalesce(round(-ln(k.part)), 1)) end::float8 as rarity
  from unnest($1::text[]) as asked (word)
  cross join rarest
  cross join lateral (select tsvector_to_array(to_tsvector('catalogue_words', asked.word)) as lexemes) l
  cross join lateral (
    select coalesce((select min(part) from known where lexeme = any (l.lexemes)), rarest.part) as part
  ) k;

-- name: search
-- $1 what must match. For relevance: $2 the words asked for, each a tsquery, $3 each one's share in what is asked; $4 all
-- as written, $5 in the name or brand in other words too, $6 words in the name that make it an accessory, $7 what ranks
-- before the rest. $8 categories, $9 brands, $10 and $11 prices; $12 sort; $13 and $14 key and product to go on behind;
-- $15 hits; $16 matches looked at; $17 price steps; $18 facet values. $19 the configuration that the texts are in; where
-- none of the words counts, $20 is all of them as they follow one another, else null. $21 what an accessory loses; $22
-- words that the category of what is asked for ends with.
with words as materialized (
  select to_tsquery($19::regconfig, query) as query, share from unnest($2::text[], $3::float8[]) as asked (query, share)
),
kinds as materialized (
  select string_agg(quote_literal('=' || lexeme), ' | ')::tsquery as query
    from unnest($22::text[]) as asked (word),
         unnest(tsvector_to_array(to_tsvector('catalogue_words', asked.word))) as lexeme
),
chosen as materialized (
  select p.product_id, p.category, p.brand, p.price,
         case $12::text
           when 'price' then -p.price::float8
           when '-price' then p.price::float8
           when 'newest' then (extract(epoch from p.created_at) * 1000000)::float8
           else case when $1::text is null then 0 else round((
             -- BM25F (Robertson, Zaragoza, Taylor 2004): a word counts by how often it stands where, up to a point.
             6 * coalesce((
               select sum(w.share * f.often / (f.often + 0.2))
                 from words w cross join lateral (select ts_rank_cd(p.search_weights, p.search, w.query) as often) f
             ), 0)
             + 3 * (p.search @@ to_tsquery($19::regconfig, $4))::int
             + 0.75 * (p.search @@ to_tsquery($19::regconfig, $5))::int
             - $21::float8 * (p.search @@ to_tsquery($19::regconfig, $6))::int
             + 3 * coalesce(p.search @@ (select query from kinds), false)::int
             + case when $20::text is null then 0 else (
               select 3 * (strpos(' ' || named || made || ' ', $20) > 0)::int
                      + 3 * (strpos(named, $20) > 0)::int * length($20)::float8 / length(named)
                 from (select ' ' || search_words(search_fold(p.name)) || ' ' as named,
                              ' ' || search_words(search_fold(p.brand || ' ; ' || p.category)) as made) w
             ) end
             + 10 * (select count(*) from unnest($7::text[]) s (match) where p.search @@ to_tsquery($19::regconfig, match))
           )::numeric, 6)::float8 end
         end as key
    from real.products p
    where p.active and ($1::text is null or p.search @@ to_tsquery($19::regconfig, $1))
      and ($8::text[] is null or p.category = any ($8)) and ($9::text[] is null or p.brand = any ($9))
      and ($10::bigint is null or p.price >= $10) and ($11::bigint is null or p.price <= $11)
    limit $16 + 1
),
-- What the filters keep out, for the facets that leave their own filter out.
others as materialized (
  select p.category, p.brand, p.price, p.in_category, p.in_brand, p.in_price
    from (
      select *, ($8::text[] is null or category = any ($8)) as in_category,
             ($9::text[] is null or brand = any ($9)) as in_brand,
             (($10::bigint is null or price >= $10) and ($11::bigint is null or price <= $11)) as in_price
        from real.products
    ) p
    where num_nonnulls($8::text[], $9::text[], $10::bigint, $11::bigint) > 0
      and p.active and ($1::text is null or p.search @@ to_tsquery($19::regconfig, $1))
      and not (p.in_category and p.in_brand and p.in_price)
    limit $16 + 1
),
matched as (
  select category, brand, price, true as in_category, true as in_brand, true as in_price from chosen
  union all
  select * from others
),
hits as (
  select product_id, key from chosen
    where $13::float8 is null or key < $13 or (key = $13 and product_id > $14)
    order by key desc, product_id
    limit $15 + 1
),
categories as (
  select category as value, count(*) as n from matched where in_brand and in_price
    group by 1 order by 2 desc, 1 limit $18
),
brands as (
  select brand as value, count(*) as n from matched where in_category and in_price
    group by 1 order by 2 desc, 1 limit $18
),
prices as (
  select width_bucket(price, $17::bigint[]) - 1 as step, count(*) as n from matched where in_category and in_brand
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

-- name: there
-- Those of $1 that any product has.
select asked.word
  from unnest($1::text[]) as asked (word)
  where exists (
    select from real.products p where p.active and p.search @@ to_tsquery('catalogue_words', quote_literal(asked.word))
  );

-- name: correct
-- The words of names most like each of $1 that no product has; a word written in more names first. $2 names looked at.
select asked.word, found.word as corrected
  from unnest($1::text[]) as asked (word)
  cross join lateral (
    select w.word
      from (
        select search_fold(name) as name from real.products where active and search_fold(name) %> asked.word limit $2
      ) p
      cross join lateral string_to_table(search_words(p.name), ' ') as w (word)
      where length(w.word) > 2 and similarity(w.word, asked.word) >= 0.3
      group by w.word
      order by similarity(w.word, asked.word) desc, count(*) desc, w.word
      limit 2
  ) found
  where not exists (
    select from real.products p where p.active and p.search @@ to_tsquery('catalogue_words', quote_literal(asked.word))
  );

-- name: suggest
-- $1 the words with the last unfinished, $2 the beginning as typed, for LIKE, $3 how many of each kind, $4 names looked at,
-- $5 the configuration that the words are in.
(select 'brand' as kind, brand as text from real.products where active and search_fold(brand) like $2
   group by brand order by count(*) desc, brand limit $3)
union all
(select 'category', category from real.products where active and search_fold(category) like $2
   group by category order by count(*) desc, category limit $3)
union all
(select 'product', name from (
     select name from real.products where active and search @@ to_tsquery($5::regconfig, $1) limit $4
   ) p group by name order by length(name), name limit $3);

-- name: read_items
-- Products as lists show them, in the order of $1; what is gone or not active is left out.
select p.product_id, p.name, p.brand, p.category, null as description, p.price, p.currency, p.active, null as attributes,
       p.version, p.updated_at, coalesce(s.stock, 0) as units, w.windows
  from unnest($1::text[]) with ordinality as wanted (product_id, place)
  cross join lateral (select * from real.products i where i.product_id = wanted.product_id limit 1) p
  left join lateral (select stock from stock i where i.product_id = wanted.product_id limit 1) s on true
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
-- What a search index keeps of these products: as shown, and the words as `search_vector` has them.
select p.product_id, p.name, p.brand, p.category, p.price, p.active,
       (extract(epoch from p.created_at) * 1000000)::bigint as created_us, p.version,
       search_words(f.head) as head, search_words(substr(f.name, length(f.head) + 1) || ' ; ' || f.description) as more,
       search_words(f.name) as title, search_words(f.id) as id,
       concat_ws(' ', search_models(f.name), search_words(f.id), search_models(f.id), search_models(f.attributes))
       as models, search_words(f.brand || ' ; ' || f.category) as made, search_words(f.attributes) as attributes,
       f.brand as folded_brand, f.category as folded_category, search_kinds(f.category) as kinds
  from real.products p
  cross join lateral (
    select search_head(folded.name) as head, folded.* from (
      select search_fold(p.name) as name, search_fold(p.brand) as brand, search_fold(p.category) as category,
             search_fold(p.product_id) as id, coalesce(search_fold(left(p.description, 100000)), '') as description,
             search_fold(search_attributes(p.attributes)) as attributes
      offset 0
    ) folded
  ) f
  where p.product_id = any ($1::text[]);

-- name: page_documents
-- The same of all products, a page at a time.
select p.product_id, p.name, p.brand, p.category, p.price, p.active,
       (extract(epoch from p.created_at) * 1000000)::bigint as created_us, p.version,
       search_words(f.head) as head, search_words(substr(f.name, length(f.head) + 1) || ' ; ' || f.description) as more,
       search_words(f.name) as title, search_words(f.id) as id,
       concat_ws(' ', search_models(f.name), search_words(f.id), search_models(f.id), search_models(f.attributes))
       as models, search_words(f.brand || ' ; ' || f.category) as made, search_words(f.attributes) as attributes,
       f.brand as folded_brand, f.category as folded_category, search_kinds(f.category) as kinds
  from real.products p
  cross join lateral (
    select search_head(folded.name) as head, folded.* from (
      select search_fold(p.name) as name, search_fold(p.brand) as brand, search_fold(p.category) as category,
             search_fold(p.product_id) as id, coalesce(search_fold(left(p.description, 100000)), '') as description,
             search_fold(search_attributes(p.attributes)) as attributes
      offset 0
    ) folded
  ) f
  where p.product_id > $1 order by p.product_id limit $2;
