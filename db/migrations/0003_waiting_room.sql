-- The waiting room's secrets and revocations, and the log of what ops changed.

-- Seed of the lobby's shuffle, drawn when the sale is made; its hash is published before, itself after the shuffle.
alter table sales add column room_secret bytea not null
  default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
-- Bumped to revoke every admission out.
alter table sales add column room_epoch integer not null default 1 check (room_epoch > 0);

create table ops_log (
  entry_id bigint generated always as identity primary key,
  at       timestamptz not null default clock_timestamp(),
  action   text not null,
  target   text not null,
  change   jsonb not null
);

create index ops_log_by_target on ops_log (target, entry_id);
