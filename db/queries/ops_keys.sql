-- name: live_keys
-- Those that are good now, and for how many seconds more, by the database's clock.
select key_id, name, role::text, digest, extract(epoch from expires_at - clock_timestamp())::float8 as good_for_s
  from ops_keys
  where revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
  limit $1;

-- name: make_key
insert into ops_keys (name, role, digest, created_by, expires_at) values ($1, $2::text::ops_role, $3, $4, $5)
returning key_id, name, role::text, created_at, created_by, expires_at, revoked_at,
       totp_salt is not null as has_totp, totp_confirmed_at;

-- name: count_live
select count(*) from (select from ops_keys where revoked_at is null limit $1) live;

-- name: list_keys
-- Newest first; the cursor is the key_id of the page's last row.
select key_id, name, role::text, created_at, created_by, expires_at, revoked_at,
       totp_salt is not null as has_totp, totp_confirmed_at
  from ops_keys
  where key_id < coalesce($1::bigint, 9223372036854775807)
  order by key_id desc
  limit $2;

-- name: revoke_key
-- The name of the key when it was good until now; twice changes nothing.
update ops_keys set revoked_at = clock_timestamp() where key_id = $1 and revoked_at is null returning name;

-- name: name_of_key
select name from ops_keys where key_id = $1;
