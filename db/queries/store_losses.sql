-- name: note_loss
insert into store_losses (sale_number, partition, cursor_id, store_id, last_id, missing, strays, in_use)
select $1, $2, $3, $4, $5, $6, $7,
       to_timestamp($8::bigint / 1000.0) > clock_timestamp() - interval '1 hour'
returning loss_id, in_use;

-- name: fresh
select exists (
  select from store_losses
    where in_use and witnesses = 0 and at > clock_timestamp() - make_interval(secs => $1::float8));

-- name: name_of
select sale_id from sales where sale_number = $1;

-- name: losses_after
-- What a process has not heard of yet.
select loss_id, sale_number, partition, cursor_id from store_losses where loss_id > $1 order by loss_id limit 1000;

-- name: last_loss
select coalesce(max(loss_id), 0) from store_losses;

-- name: testify
update store_losses set witnesses = witnesses + 1 where loss_id = any($1::bigint[]);

-- name: known
-- Those of the orders that are orders, or lie among the dead letters.
select order_id from orders where order_id = any($1::uuid[])
union all
select order_id from dead_letters where order_id = any($1::uuid[]);

-- name: note_lost
insert into lost_orders (order_id, sale_number, partition, entry_id)
select * from unnest($1::uuid[], $2::integer[], $3::smallint[], $4::text[])
on conflict (order_id) do nothing
returning sale_number;

-- name: summary
-- Of sales, not of shadows: the latest loss, and those of the last day.
select (select max(at) from store_losses) as last_at,
       (select count(*) from store_losses where at > clock_timestamp() - interval '1 day') as losses,
       (select count(*) from store_losses
          where at > clock_timestamp() - interval '1 day' and in_use and witnesses = 0) as unwitnessed,
       (select coalesce(sum(missing), 0)::bigint from store_losses where at > clock_timestamp() - interval '1 day') as missing,
       (select count(*) from lost_orders l
          where at > clock_timestamp() - interval '1 day'
            and not exists (select from orders o where o.order_id = l.order_id)) as lost;
