-- The books of the simulated provider. Nobody else reads or writes them.

-- name: open_book
-- Two that open the same book find one.
insert into simulated_payments (order_id, status, total, currency, capture, captured, card, turns_at, succeeds)
values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + make_interval(secs => $8::float8), $9)
on conflict (order_id) do nothing;

-- name: open_books
-- The same of many at once; those that had none before.
insert into simulated_payments (order_id, status, total, currency, capture, captured, card, turns_at, succeeds)
select order_id, status, total, currency, capture, captured, card,
       clock_timestamp() + make_interval(secs => turns_after_s), succeeds
  from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::boolean[], $6::bigint[], $7::text[], $8::float8[],
              $9::boolean[])
    as o (order_id, status, total, currency, capture, captured, card, turns_after_s, succeeds)
on conflict (order_id) do nothing
returning order_id;

-- name: read_books
select order_id, status, total, currency, capture, captured, refunded, card, succeeds, keys,
       turns_at <= clock_timestamp() as turned
  from simulated_payments where order_id = any($1::uuid[]);

-- name: hold_book
select status, total, currency, capture, captured, refunded, card, succeeds, keys, turns_at <= clock_timestamp() as turned
  from simulated_payments where order_id = $1 for update;

-- name: read_book
select status, total, currency, capture, captured, refunded, card, succeeds, keys, turns_at <= clock_timestamp() as turned
  from simulated_payments where order_id = $1;

-- name: write_book
update simulated_payments
  set status = $2, captured = $3, refunded = $4, keys = $5, turns_at = case when $6 then null else turns_at end
  where order_id = $1;

-- name: end_actions
update simulated_payments p set turns_at = clock_timestamp(), succeeds = u.succeeds
  from unnest($1::uuid[], $2::boolean[]) as u (order_id, succeeds)
  where p.order_id = any($1::uuid[]) and p.order_id = u.order_id and p.status = 'requires_action'
returning p.order_id;

-- name: list_books
-- By time; the next page begins behind ($1, $2). Of shadows nobody asks.
select order_id, created_at, status, total, currency, capture, captured, refunded, card, succeeds, keys,
       turns_at <= clock_timestamp() as turned
  from real.simulated_payments
  where (created_at, order_id) > ($1, $2)
  order by created_at, order_id
  limit 1000;
