-- How far it is scaled out.

-- name: state
select adapter, before, wanted, sales, failures, error from scaling where adapter = $1;

-- name: take
insert into scaling as s (adapter, taken_until)
values ($1, clock_timestamp() + make_interval(secs => $2::float8))
on conflict (adapter) do update set taken_until = excluded.taken_until where s.taken_until < clock_timestamp()
returning true;

-- name: keep_before
update scaling set before = case when $3 then $2 else coalesce(before, $2) end where adapter = $1 returning before;

-- name: applied
update scaling
  set wanted = $2, sales = $3, before = case when $2::jsonb is null and not $4 then null else before end, failures = 0, error = null,
      taken_until = clock_timestamp(), changed_at = clock_timestamp()
  where adapter = $1;

-- name: failed
update scaling
  set failures = failures + 1, error = $2, taken_until = clock_timestamp() + make_interval(secs => $3::float8)
  where adapter = $1;

-- name: any_reservation
select coalesce((select true from reservations where sale_number = $1 order by partition limit 1), false);
