-- name: dead_letters
-- Newest first; `state` is what became of each: an order that exists by now was made by a retry, or was sent again.
select * from (
  select d.dead_letter_id, s.sale_id, d.sale_number, d.partition, d.entry_id, d.order_id, d.customer_id, d.payload,
         d.reason, d.detail, d.failures, d.created_at, d.failed_at, d.retried_at, d.discarded_at, d.discard_reason,
         case when d.discarded_at is not null then 'discarded'
              when d.reason <> 'idempotency_conflict' and exists (select from orders o where o.order_id = d.order_id)
                then 'resolved'
              when d.retried_at > d.failed_at then 'retried'
              else 'open' end as state
    from dead_letters d
    join sales s using (sale_number)
    where ($1::bigint is null or d.dead_letter_id < $1)
      and ($2::bigint is null or d.dead_letter_id = $2)
      and ($3::uuid is null or d.order_id = $3)
      and ($4::text is null or s.sale_id = $4)
      and ($5::text is null or d.customer_id = $5)
  ) as letters
  where state = any($6::text[])
  order by dead_letter_id desc
  limit $7;

-- name: lock_dead_letter
select dead_letter_id from dead_letters where dead_letter_id = $1 for update;

-- name: mark_retried
update dead_letters set retried_at = clock_timestamp() where dead_letter_id = $1;

-- name: mark_discarded
update dead_letters set discarded_at = clock_timestamp(), discard_reason = $2 where dead_letter_id = $1;
