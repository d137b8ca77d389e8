-- Reports of sales: which are due, and what is kept. A few look-ups by index, whatever the tables hold.

-- name: due
-- Sales that are over and have no report of that end, or one written while something was still under way.
select s.sale_number, s.sale_id, e.over_at
  from sales s
  cross join lateral (
    select least(s.ends_at, s.closed_at, (to_jsonb(s) ->> 'plan_closes_at')::timestamptz) as over_at
  ) e
  left join sale_reports r on r.sale_number = s.sale_number
  where e.over_at <= clock_timestamp() and to_jsonb(s) ->> 'shadow_of' is null
    and (r.sale_number is null or r.over_at <> e.over_at or not r.settled)
  order by e.over_at;

-- name: over_at
-- When it took no orders any more; null while it may.
select least(ends_at, closed_at, (to_jsonb(s) ->> 'plan_closes_at')::timestamptz)
  from sales s
  where sale_number = $1
    and least(ends_at, closed_at, (to_jsonb(s) ->> 'plan_closes_at')::timestamptz) <= clock_timestamp();

-- name: under_way
-- What of a sale is not done yet; each counted up to a thousand.
select (select count(*) from (select from reservations r where r.sale_number = $1 limit 1000) a) as pending,
       (select count(*) from (select from standby b where b.sale_number = $1 and b.served is null limit 1000) a) as standing_by;

-- name: operations_under_way
select count(*) from (
  select from payment_operations p
    cross join lateral (select from orders o where o.order_id = p.order_id and o.sale_number = $1 limit 1) o
    where p.state = 'due'
    order by p.due_at
    limit 1000
) a;

-- name: put
-- The later one stands.
insert into sale_reports as r (sale_number, over_at, settled, written_at, report) values ($1, $2, $3, $4, $5)
on conflict (sale_number) do update
  set over_at = excluded.over_at, settled = excluded.settled, written_at = excluded.written_at, report = excluded.report
  where excluded.written_at >= r.written_at;

-- name: get
select over_at, settled, written_at, report from sale_reports where sale_number = $1;
