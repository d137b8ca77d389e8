-- For ops: keys with a name and a role, whose key a change was made with, and orders found by their reason.

create type ops_role as enum (
  'view',    -- reads everything, changes nothing
  'operate', -- sales, rooms, products, orders
  'admin'    -- keys too, and what cannot be undone
);

create table ops_keys (
  key_id     bigint generated always as identity primary key,
  name       text not null check (length(name) between 1 and 100),
  role       ops_role not null,
  digest     bytea not null check (length(digest) = 32), -- SHA-256 of the key, which is kept nowhere
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,                              -- name of the key that it was made with
  expires_at timestamptz,
  revoked_at timestamptz
);

create unique index ops_keys_by_digest on ops_keys (digest);
-- Whose a change was can be told by the name: no two keys that are good have the same.
create unique index ops_keys_by_name on ops_keys (name) where revoked_at is null;

alter table ops_log add column key_name text; -- name of the key that the call was made with; null: none, as by a command

-- Orders by why they are as they are. What is confirmed has no reason and costs nothing here.
create index orders_by_reason on orders (sale_number, partition, reason, accepted_at) where reason is not null;
