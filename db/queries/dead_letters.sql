-- name: list_dead_letters
-- Newest first.
select d.* from dead_letter_states d
  where dead_letter_id < coalesce($1::bigint, 9223372036854775807)
    and ($2::text is null and not is_shadow(d.sale_number)
         or d.sale_number = (select sale_number from sales where sale_id = $2))
    and state = any($3::text[])
  order by dead_letter_id desc
  limit $4;

-- name: list_customers_dead_letters
-- The same of one customer, who has few.
select d.* from dead_letter_states d
  where d.customer_id = $5
    and dead_letter_id < coalesce($1::bigint, 9223372036854775807)
    and ($2::text is null and not is_shadow(d.sale_number)
         or d.sale_number = (select sale_number from sales where sale_id = $2))
    and state = any($3::text[])
  order by dead_letter_id desc
  limit $4;

-- name: read_dead_letter
select d.* from dead_letter_states d
  where dead_letter_id = $1;

-- name: dead_letter_of
-- The latest of an order's entries.
select d.* from dead_letter_states d
  where order_id = $1
  order by d.created_at desc, dead_letter_id desc
  limit 1;

-- name: lock_dead_letter
select dead_letter_id from dead_letters where dead_letter_id = $1 for update;

-- name: mark_retried
update dead_letters set retried_at = clock_timestamp() where dead_letter_id = $1;

-- name: mark_discarded
update dead_letters set discarded_at = clock_timestamp(), discard_reason = $2 where dead_letter_id = $1;

-- name: list_payments
-- What a payment provider will not do, newest first: of any order, of a sale's, of a customer's.
select p.operation_id, p.order_id, p.kind, p.amount, p.attempts, p.created_at, p.finished_at, p.detail, p.state,
       p.discard_reason
  from payment_operations p
  where p.state in ('failed', 'discarded') and p.state = any($4::text[])
    and p.operation_id < coalesce($1::bigint, 9223372036854775807)
    and ($2::text is null and $3::text is null and not is_shadow_order(p.order_id) or (
      select ($3::text is null or o.customer_id = $3)
             and ($2::text is null and not is_shadow(o.sale_number) or o.sale_number = (select sale_number from sales where sale_id = $2))
        from orders o where o.order_id = p.order_id limit 1))
  order by p.operation_id desc
  limit $5;
