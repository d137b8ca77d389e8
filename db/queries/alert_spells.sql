-- Alerts that fired, for who looks back.

-- name: end_silent
-- What nobody has seen firing for half a minute has ended when it was seen last.
update alert_spells set ended_at = seen_at
  where ended_at is null and seen_at < clock_timestamp() - interval '30 seconds';

-- name: note
-- An alert that several processes see is one, from when the first of them saw it.
insert into alert_spells as a (name, severity, summary, began_at, seen_at)
select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
on conflict (name) where ended_at is null do update
  set severity = excluded.severity, summary = excluded.summary, seen_at = greatest(a.seen_at, excluded.seen_at),
      began_at = least(a.began_at, excluded.began_at);
