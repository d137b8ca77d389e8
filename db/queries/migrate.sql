-- name: lock
-- One migration at a time, whoever starts it; held until the transaction ends.
select pg_advisory_xact_lock(4906200701);

-- name: create_table
create table if not exists schema_migrations (
  name       text primary key,
  applied_at timestamptz not null default now()
);

-- name: table_exists
select to_regclass('schema_migrations') is not null;

-- name: applied
select name from schema_migrations;

-- name: record
insert into schema_migrations (name) values ($1);

-- name: make_real_views
-- As the tables are now.
select make_real_views();
