-- Tables and indexes of a sale in the buffers.

-- name: has_extension
select exists (select from pg_extension where extname = 'pg_prewarm');

-- name: is_read_only
select pg_is_in_recovery();

-- name: create_extension
create extension if not exists pg_prewarm;

-- name: shared_buffers
select pg_size_bytes(current_setting('shared_buffers'));

-- name: relations
-- Each table and then its indexes, the tables in the order in which they are named.
select r.relation::text as name, pg_relation_size(r.relation) as bytes
  from unnest($1::text[]) with ordinality as t (name, place)
  cross join lateral (
    select to_regclass(t.name) as relation, 0 as part
    union all
    select indexrelid::regclass, 1 from pg_index where indrelid = to_regclass(t.name)
  ) r
  where r.relation is not null and pg_relation_size(r.relation) > 0
  order by t.place, r.part, 1;

-- name: warm_one
select pg_prewarm($1::text::regclass);
