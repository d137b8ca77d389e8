-- Ops sign in to their page: a second factor for a key, and the sessions that were signed out.

alter table ops_keys
  add column totp_salt bytea check (length(totp_salt) = 20),
  add column totp_confirmed_at timestamptz,
  add column totp_last_step bigint not null default 0,
  add constraint totp_has_salt check (totp_confirmed_at is null or totp_salt is not null);

-- Sessions of the page of ops that were signed out before their end; a row goes once the session would have ended.
create table ops_ended_sessions (
  session_id bytea primary key check (length(session_id) = 16),
  ends_at    timestamptz not null
);

create index ops_ended_sessions_by_end on ops_ended_sessions (ends_at);
