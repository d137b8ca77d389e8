-- name: news_of
-- Of these orders, with what the provider claims to have of each, those that we know otherwise.
with told as (
  select distinct order_id, claim from unnest($1::uuid[], $2::text[]) as t (order_id, claim)
), known as (
  select order_id, payment from orders where order_id = any($1::uuid[])
)
select distinct known.order_id
  from told join known on known.order_id = told.order_id
  where told.claim is null or known.payment::text is distinct from told.claim;

-- name: wake
-- Let the settle shift have its turn with them now; those that it is at already need none, and are not waited for.
with held as (
  select order_id from reservations
    where order_id = any($1::uuid[]) and due_at > clock_timestamp()
    order by order_id for update skip locked
)
update reservations set due_at = clock_timestamp() where order_id = any(array(select order_id from held));
