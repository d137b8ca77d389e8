-- What the scheduler writes down of sales that go on, for their reports.

-- name: mark
-- Entries of a timeline that are in force by now; what had applied before the sale was made was never late.
insert into timeline_marks (sale_number, at)
select w.sale_number, w.at
  from unnest($1::integer[], $2::timestamptz[]) as w (sale_number, at)
  cross join lateral (select created_at from sales i where i.sale_number = w.sale_number limit 1) s
  where w.at > s.created_at
on conflict do nothing;

-- name: note_starts
-- Processes that nobody has noted; what they say of their beginning is rounded to a second.
insert into process_starts (role, name, began_at)
select w.role, w.name, w.began_at
  from unnest($1::text[], $2::text[], $3::timestamptz[]) as w (role, name, began_at)
  where not exists (
    select from process_starts p
      where p.role = w.role and p.name = w.name
        and p.began_at between w.began_at - interval '3 s' and w.began_at + interval '3 s'
  )
on conflict do nothing;

-- name: forget_starts
delete from process_starts where began_at < clock_timestamp() - make_interval(days => $1::integer);
