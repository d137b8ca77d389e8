-- name: server_age
select extract(epoch from clock_timestamp() - pg_postmaster_start_time())::float8;

-- name: server_clock
select clock_timestamp();

-- name: doubtful_products
-- Products of a sale that cannot be sold as the sale says: switched off, without units, or with a larger allotment.
select sp.product_id, p.active, coalesce(s.stock, 0) as stock, sp.quantity - sp.taken as allotted
  from sale_products sp
  cross join lateral (select active from products i where i.product_id = sp.product_id limit 1) p
  left join lateral (select stock from stock i where i.product_id = sp.product_id limit 1) s on true
  where sp.sale_number = $1
    and (not p.active or coalesce(s.stock, 0) = 0 or sp.quantity - sp.taken > coalesce(s.stock, 0))
  order by sp.product_id
  limit $2;

-- name: ledger_breaches
-- Products of sales that are not closed whose units do not add up, or that are sold beyond their allotment. The tables'
-- own checks forbid it: it is seen where these are gone, as after a restore by hand.
select count(*)
  from sales s
  join sale_products sp on sp.sale_number = s.sale_number
  cross join lateral (
    select i.stock, i.reserved, i.sold, i.received from stock i where i.product_id = sp.product_id limit 1) u
  where s.phase <> 'closed'
    and (u.stock < 0 or u.reserved < 0 or u.sold < 0 or u.stock + u.reserved + u.sold <> u.received
      or sp.taken > sp.quantity);

-- name: standing_by
-- Orders that wait for units to come back, counted to $1.
select count(distinct order_id) from (select order_id from standby limit $1) s;

-- name: open_dead_letters
-- Accepted entries that wait for a person, among the newest $1; who sent another order under the same key waits for none.
select count(*)
  from (select d.order_id, d.reason, d.discarded_at, d.retried_at, d.failed_at
          from dead_letters d order by d.dead_letter_id desc limit $1) d
  where d.discarded_at is null and d.reason <> 'idempotency_conflict'
    and (d.retried_at is null or d.retried_at <= d.failed_at)
    and (select true from orders o where o.order_id = d.order_id limit 1) is null;
