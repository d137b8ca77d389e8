-- name: try_lock
-- One migration at a time, whoever starts it; held until the transaction ends. Who has to wait tries again: waiting here
-- it would have a snapshot, which whoever makes an index without locking its table waits for.
select pg_try_advisory_xact_lock(4906200701);

-- name: keep_lock
-- However long it takes. Run as a script, it also ends the statement that took the lock, and lets go of its snapshot.
set local idle_in_transaction_session_timeout = 0;

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
