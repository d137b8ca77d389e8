-- name: due
-- Work for the settle shift, oldest first, behind ($3, $4): what it has in flight is not read again.
-- The statement's time, not the clock's: only what is stable within a statement can bound an index scan.
select order_id, due_at, expires_at, expires_at <= clock_timestamp() as expired, total, currency, payment_token, attempts,
       coalesce(extended, false) as extended
  from reservations
  where sale_number = $1 and partition = $2 and due_at <= statement_timestamp() and (due_at, order_id) > ($3, $4)
  order by due_at, order_id
  limit $5;

-- name: terms
select payment::text as mode,
       coalesce((select true from sale_products sp
                   where sp.sale_number = s.sale_number and sp.limit_card is not null limit 1), false) as card_limited
  from sales s where sale_number = $1;

-- name: naming_no_card
-- $2: the kind of a card among an order's identities, 17 bytes each.
select order_id from orders
  where order_id = any($1::uuid[])
    and not exists (
      select from generate_series(0, length(identities) - 17, 17) as at where get_byte(identities, at) = $2::integer
    );

-- name: expired
-- Asked for at least once, and in a partition without a settle shift, which would ask once more; of the first so many.
select order_id
  from (
    select order_id, sale_number, partition from reservations
      where attempts > 0 and expires_at <= statement_timestamp() - make_interval(secs => $1::float8)
      order by expires_at
      limit 10 * $2::bigint
  ) r
  where (
    select true from shifts s
      where s.name = 'settle:' || r.sale_number || ':' || r.partition and s.lease_expires_at > clock_timestamp()
  ) is null
  limit $2;

-- name: postpone
-- Another attempt later, at the latest when the hold ends; twice as long after each, up to 32 times, so that payments
-- that are never answered leave the places of those in flight to others.
with held as (
  select order_id from reservations where order_id = any($1::uuid[]) order by order_id for update
)
update reservations
  set attempts = attempts + 1,
      due_at = least(clock_timestamp() + make_interval(secs => $2::float8 * 2 ^ least(attempts, 5)), expires_at)
  where order_id = any(array(select order_id from held))
returning order_id;
