-- name: end_session
-- Twice changes nothing.
insert into ops_ended_sessions (session_id, ends_at) values ($1, $2) on conflict do nothing;

-- name: forget_over
-- Those that are over by themselves by now.
delete from ops_ended_sessions where ends_at < clock_timestamp();

-- name: ended_sessions
-- The newest first: their ends are the furthest away.
select session_id from ops_ended_sessions where ends_at > clock_timestamp() order by ends_at desc limit $1;

-- name: begin_totp
-- A new salt, not confirmed yet: the codes of the one before, if any, are good no more.
update ops_keys set totp_salt = $2, totp_confirmed_at = null, totp_last_step = 0
  where key_id = $1 and revoked_at is null
returning name;

-- name: totp_of
select totp_salt, totp_confirmed_at is not null as confirmed from ops_keys where key_id = $1 and revoked_at is null;

-- name: use_totp
-- Each time step once, and none before it: a code that was seen is good for nobody.
update ops_keys set totp_last_step = $2, totp_confirmed_at = coalesce(totp_confirmed_at, clock_timestamp())
  where key_id = $1 and totp_salt = $3 and totp_last_step < $2 and revoked_at is null
returning name;

-- name: drop_totp
update ops_keys set totp_salt = null, totp_confirmed_at = null, totp_last_step = 0
  where key_id = $1 and totp_salt is not null
returning name;
