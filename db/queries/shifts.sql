-- name: acquire_if_free
-- Takes a lease that nobody holds; the fence grows with every holder. No row: it is held.
insert into shifts as s (name, fence, holder, lease_expires_at)
values ($1, 1, $2, clock_timestamp() + make_interval(secs => $3::float8))
on conflict (name) do update
  set fence = s.fence + 1, holder = excluded.holder, lease_expires_at = excluded.lease_expires_at
  where s.lease_expires_at <= clock_timestamp()
returning fence;

-- name: hold_if_mine
-- First statement of every batch. The row lock makes a successor wait for this transaction's end.
update shifts
  set lease_expires_at = clock_timestamp() + make_interval(secs => $3::float8)
  where name = $1 and fence = $2
returning fence;

-- name: release_if_mine
update shifts set lease_expires_at = clock_timestamp() where name = $1 and fence = $2;

-- name: live
select name from shifts where lease_expires_at > clock_timestamp();
