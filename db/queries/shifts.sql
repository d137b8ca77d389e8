-- name: acquire_if_free
-- Takes a lease that nobody holds; the fence grows with every holder. No row: it is held. A holder that gave its lease
-- back left no name: one that is named there was ended, killed or too slow. Nor is there one for a shadow that is closed:
-- what it left is being removed.
insert into shifts as s (name, fence, holder, lease_expires_at)
select $1, 1, $2, clock_timestamp() + make_interval(secs => $3::float8)
  from (select nullif(split_part($1, ':', 2), '')::integer as sale_number) of
  where not coalesce(is_shadow(sale_number), false)
     or (select phase <> 'closed' from sales s where s.sale_number = of.sale_number)
on conflict (name) do update
  set fence = s.fence + 1, holder = excluded.holder, lease_expires_at = excluded.lease_expires_at
  where s.lease_expires_at <= clock_timestamp()
returning fence, batch_max, coalesce(old.holder, '') <> '' as not_given_back;

-- name: end_overdue
-- Ends the session of a holder whose lease ran out while its transaction is open: paused inside of a COPY it is neither
-- idle nor stopped by any time-out, and would keep the lease's row locked for ever.
select count(pg_terminate_backend(a.pid))
  from pg_stat_activity a
  where a.datname = current_database() and a.application_name = $2 and a.pid <> pg_backend_pid()
    and a.xact_start < clock_timestamp() - make_interval(secs => $3::float8)
    and exists (select from shifts where name = $1 and lease_expires_at <= clock_timestamp());

-- name: renew_if_mine
-- First statement of every batch. The row lock makes a successor wait for this transaction's end.
update shifts
  set lease_expires_at = clock_timestamp() + make_interval(secs => $3::float8), batch_max = $4
  where name = $1 and fence = $2
returning fence;

-- name: is_mine
-- Asked when a holder connects anew: behind the connection may be another primary, which lacks the last commits. The
-- holder is compared too, for there a fence may have been given twice.
select exists (select from shifts where name = $1 and fence = $2 and holder = $3);

-- name: release_if_mine
update shifts set lease_expires_at = clock_timestamp(), holder = '' where name = $1 and fence = $2;

-- name: note_payments
-- And whether the provider is left alone, as of now.
update shifts
  set payments_per_s = $3, payments_paused = $4::text,
      payments_paused_until = case when $4::text is not null then clock_timestamp() + make_interval(secs => $5::float8) end
  where name = $1 and fence = $2;

-- name: payments_paused
select payments_paused, extract(epoch from payments_paused_until - clock_timestamp())::float8 as seconds
  from shifts where name = $1;

-- name: live
select name from shifts where lease_expires_at > clock_timestamp();
