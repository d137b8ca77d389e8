-- Reports of sales: which are due, and what is kept. A few look-ups by index, whatever the tables hold.

-- name: due
-- Sales that are over and have no report of that end, or one written while something was still under way; not of those
-- that were over a week ago: what was sold before there were reports gets none.
select s.sale_number, s.sale_id, e.over_at
  from planned_sales s
  cross join lateral (
    select least(s.ends_at, s.closed_at, s.plan_closes_at) as over_at
  ) e
  left join sale_reports r on r.sale_number = s.sale_number
  where e.over_at <= clock_timestamp() and s.shadow_of is null
    and e.over_at > clock_timestamp() - interval '7 days'
    and (r.sale_number is null or r.over_at <> e.over_at or not r.settled)
  order by e.over_at;

-- name: over_at
-- When it took no orders any more; null while it may.
select least(ends_at, closed_at, s.plan_closes_at)
  from planned_sales s
  where sale_number = $1
    and least(ends_at, closed_at, s.plan_closes_at) <= clock_timestamp();

-- name: under_way
-- What of a sale is not done yet; each counted up to a thousand.
select (select count(*) from (select from reservations r where r.sale_number = $1 limit 1000) a) as pending,
       (select count(*) from (select from standby b where b.sale_number = $1 and b.served is null limit 1000) a) as standing_by;

-- name: operations_under_way
-- Of the five thousand that are due first; where there are more, some may be this sale's.
select count(*) filter (where sale_number = $1) + (count(*) = 5000)::integer
  from (
    select (select a.sale_number from orders a where a.order_id = p.order_id limit 1) as sale_number
      from (
        select order_id from payment_operations where state = 'due' order by due_at, operation_id limit 5000
      ) p
  ) due;

-- name: put
-- The later one stands.
insert into sale_reports as r (sale_number, over_at, settled, written_at, report) values ($1, $2, $3, $4, $5)
on conflict (sale_number) do update
  set over_at = excluded.over_at, settled = excluded.settled, written_at = excluded.written_at, report = excluded.report
  where excluded.written_at >= r.written_at;

-- name: get
select over_at, settled, written_at, report from sale_reports where sale_number = $1;
