-- What the clock asks for ahead of a sale.

-- name: done
select step from prewarm_steps where sale_number = $1 and starts_at = $2 and done_at is not null;

-- name: take
-- Whose time is over has left it: it died, or is late beyond hope.
insert into prewarm_steps as p (sale_number, starts_at, step, taken_until)
values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4::float8))
on conflict (sale_number, starts_at, step) do update
  set taken_until = excluded.taken_until, attempts = p.attempts + 1
  where p.done_at is null and p.taken_until < clock_timestamp()
returning true;

-- name: put_off
update prewarm_steps
  set taken_until = clock_timestamp() + make_interval(secs => $4::float8)
  where sale_number = $1 and starts_at = $2 and step = $3 and done_at is null;

-- name: finish
insert into prewarm_steps as p (sale_number, starts_at, step, taken_until, done_at, result)
values ($1, $2, $3, clock_timestamp(), clock_timestamp(), $4)
on conflict (sale_number, starts_at, step) do update
  set done_at = clock_timestamp(), result = excluded.result
  where p.done_at is null
returning true;

-- name: pass_over
-- Whoever is at one still finds it done, and reports nothing.
insert into prewarm_steps as p (sale_number, starts_at, step, taken_until, done_at, result)
select $1, $2, step, clock_timestamp(), clock_timestamp(), '{"passed_over": true}'
  from unnest($3::text[]) as step
on conflict (sale_number, starts_at, step) do update
  set done_at = clock_timestamp(), result = excluded.result
  where p.done_at is null;

-- name: near
-- Sales that begin within their lead, the first ones; asked by each intake every few seconds.
select sale_id
  from sales
  where phase <> 'closed' and starts_at > clock_timestamp()
    and starts_at - make_interval(secs => prewarm_lead_s) <= clock_timestamp()
  order by starts_at
  limit 20;
