-- What ranking reads: how much a word counts by where it stands, less in a long text than in a short one.

-- Weights of D, C, B and A, as ts_rank_cd takes them: attributes, description, brand, name. A word in a text of ordinary
-- length counts a quarter of one that stands alone (BM25's length normalisation, b = 0.75; lengths in characters).
create function search_weights(name text, description text, attributes jsonb) returns real[]
language sql immutable parallel safe as $$
  select array[
    0.1 / (1 + 3 * coalesce(length(search_attributes(attributes)), 0) / 300.0),
    0.25 / (1 + 3 * coalesce(length(description), 0) / 55.0),
    0.075,
    1.0 / (1 + 3 * length(name) / 55.0)
  ]::real[]
$$;

alter table products add column search_weights real[] not null generated always as (
  search_weights(name, description, attributes)
) stored;
