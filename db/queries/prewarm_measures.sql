-- What a sale's readiness is measured by.

-- name: measure
select coalesce((
         select sum(least(coalesce(sp.quantity - sp.taken, s.stock), coalesce(s.stock, 0)))
           from sale_products sp
           left join lateral (select stock from stock i where i.product_id = sp.product_id limit 1) s on true
           where sp.sale_number = $1
       ), 0)::bigint as units,
       (select sum(d.drained) / sum(d.busy_s)
          from (select drained, busy_s from drain_paces where busy_s >= $2 order by sale_number desc limit 3) d
       ) as drained_per_s,
       (select payments_per_s from shifts
          where name like 'settle:%' and payments_per_s is not null
            and not coalesce(is_shadow(nullif(split_part(name, ':', 2), '')::integer), false)
          order by lease_expires_at desc
          limit 1)::float8 as payments_per_s,
       (select payments_paused from shifts
          where (name = 'money' or name like 'settle:%')
            and not coalesce(is_shadow(nullif(split_part(name, ':', 2), '')::integer), false)
            and payments_paused_until > clock_timestamp()
          order by payments_paused_until desc
          limit 1) as payments_paused;

-- name: paused_webhooks
select webhook_id, state from webhooks where state in ('paused', 'disabled') order by webhook_id limit 1000;

-- name: last_knee
select (result ->> 'knee_per_s')::float8
  from rehearsals
  where sale_number = $1 and finished_at is not null and result ->> 'knee_per_s' is not null
    and result ->> 'limited_by' is null  -- no knee, but what a sale that was on left for it
  order by finished_at desc
  limit 1;

-- name: note_drained
insert into drain_paces as d (sale_number, drained, busy_s)
values ($1, $2, $3)
on conflict (sale_number) do update
  set drained = d.drained + excluded.drained, busy_s = d.busy_s + excluded.busy_s, measured_at = clock_timestamp();
