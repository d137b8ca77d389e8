-- What was found each time a sale was looked at ahead of its start.

-- name: add_report
insert into prewarm_reports (sale_number, occasion, go, checks)
values ($1, $2, $3, $4)
returning report_id, at, occasion, go, checks;

-- name: forget_reports
delete from prewarm_reports
  where sale_number = $1 and report_id <= coalesce((
    select report_id from prewarm_reports where sale_number = $1 order by report_id desc offset $2 limit 1
  ), 0);

-- name: newest_reports
select report_id, at, occasion, go, checks
  from prewarm_reports
  where sale_number = $1
  order by report_id desc
  limit $2;

-- name: verdict
select s.sale_number, s.sale_id, r.at, r.go, r.checks
  from prewarm_reports r
  cross join lateral (select sale_number, sale_id from sales i where i.sale_number = r.sale_number limit 1) s
  where r.sale_number = $1
  order by r.report_id desc
  limit 1;

-- name: verdicts_ahead
-- Of sales that have not begun, the newest of each.
select s.sale_number, s.sale_id, r.at, r.go, r.checks
  from sales s
  cross join lateral (
    select at, go, checks from prewarm_reports p where p.sale_number = s.sale_number order by report_id desc limit 1
  ) r
  where s.starts_at > statement_timestamp() and s.phase <> 'closed' and not is_shadow(s.sale_number)
  order by s.sale_number;
