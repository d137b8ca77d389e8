-- What these call is bound when they are made: a dump is restored with an empty search path, in which a name alone is nobody's,
-- so that no product could be made there. What they return is the same.
create or replace function search_kinds(category text) returns text language sql immutable strict parallel safe
begin atomic
  select coalesce(string_agg(substring(rtrim(search_words(part)) from '[^ ]+$'), ' '), '')
    from regexp_split_to_table(substring(category from '[^>/|]*$'), '[&,;+]|\yand\y') as part;
end;

create or replace function search_vector(product_id text, name text, brand text, category text, description text, attributes jsonb)
returns tsvector language sql immutable parallel safe
begin atomic
  select setweight(to_tsvector('catalogue_words', search_words(said.head)), 'A')
      || setweight(to_tsvector('catalogue_exact', search_models(said.name) || ' ' || search_words(said.id) || ' '
                                                  || search_models(said.id)), 'A')
      || setweight(to_tsvector('catalogue_words', said.made), 'B')
      || setweight(to_tsvector('catalogue_words', search_words(
                     substr(said.name, length(said.head) + 1) || ' ; ' || said.description)), 'C')
      || setweight(to_tsvector('catalogue_words', search_words(said.more)), 'D')
      || strip(to_tsvector('catalogue_exact', search_words(said.name) || ' ' || said.made || ' '
                                              || search_models(said.more)))
      || array_to_tsvector(array(
           select '=' || lexeme
             from unnest(tsvector_to_array(to_tsvector('catalogue_words', search_kinds(said.category)))) as lexeme))
    from (
      select folded.*, search_head(folded.name) as head
        from (
          select search_fold(product_id) as id, search_fold(name) as name, search_fold(category) as category,
                 search_words(search_fold(brand || ' ; ' || category)) as made,
                 coalesce(search_fold(left(description, 100000)), '') as description,
                 search_fold(search_attributes(attributes)) as more
          offset 0 -- once each, and not wherever it is read
        ) folded
      offset 0
    ) said;
end;

create or replace function search_weights(name text, description text, attributes jsonb) returns real[]
language sql immutable parallel safe
begin atomic
  select array[
    0.1 / (1 + 3 * coalesce(length(search_attributes(attributes)), 0) / 300.0),
    0.25 / (1 + 3 * coalesce(length(description), 0) / 55.0),
    0.075,
    1.0 / (1 + 3 * length(name) / 55.0)
  ]::real[];
end;
