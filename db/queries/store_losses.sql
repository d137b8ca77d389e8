-- name: note_loss
-- With the intakes that are asked of it: all that may have accepted an order behind the cursor. Of one that ended it is
-- known which it accepted last; of one that died it is not.
with found as (
  insert into store_losses (sale_number, partition, cursor_id, store_id, last_id, missing, strays, in_use, found_by, is_listed)
  select $1, $2, $3, $4, $5, $6, $7,
         $9 = 'intake' or to_timestamp($8::bigint / 1000.0) > clock_timestamp() - interval '1 hour', $9,
         $9 = 'intake' or exists (
           select from intake_witnesses -- the order store's clock may be ahead
             where began_at < to_timestamp($8::bigint / 1000.0) + interval '1 minute'
               and coalesce(ended_at, seen_at)
                   > least(to_timestamp($8::bigint / 1000.0), clock_timestamp()) - interval '1 hour')
  returning loss_id, in_use
), asked as (
  insert into loss_witnesses (loss_id, witness_id)
  select f.loss_id, w.witness_id
    from found f, intake_witnesses w
    where w.settled_at is null
      and (w.ended_at is null or exists (
        select from unnest(w.sale_numbers, w.partitions, w.entry_ids) as latest (sale_number, partition, entry_id)
          where latest.sale_number = $1 and latest.partition = $2
            and string_to_array(latest.entry_id, '-')::bigint[] > string_to_array($3, '-')::bigint[]))
)
select loss_id, in_use from found;

-- name: fresh
select exists (
  select from store_losses l
    join loss_witnesses asked using (loss_id)
    join intake_witnesses w using (witness_id)
    where l.in_use and l.at > clock_timestamp() - make_interval(secs => $1::float8)
      and asked.said_at is null and w.ended_at is null and w.seen_at > clock_timestamp() - make_interval(secs => $2::float8));

-- name: name_of
select sale_id from sales where sale_number = $1;

-- name: losses_after
-- What a process has not heard of yet.
select loss_id, sale_number, partition, cursor_id from store_losses where loss_id > $1 order by loss_id limit 1000;

-- name: last_loss
select coalesce(max(loss_id), 0) from store_losses;

-- name: testify
-- An intake has looked for all it accepted there; or, without a time, is one that cannot say of all of it.
insert into loss_witnesses (loss_id, witness_id, said_at)
select loss_id, $1, case when $3 then clock_timestamp() end from store_losses where loss_id = any($2::bigint[])
on conflict (loss_id, witness_id) do update set said_at = coalesce(loss_witnesses.said_at, excluded.said_at);

-- name: count_witness
update store_losses set witnesses = witnesses + 1 where loss_id = any($1::bigint[]);

-- name: known
-- Those of the orders that are orders, or lie among the dead letters.
select order_id from orders where order_id = any($1::uuid[])
union all
select order_id from dead_letters where order_id = any($1::uuid[]);

-- name: lock_place
-- One at a time says that orders are lost, so that those of a partition are told as one loss.
select pg_advisory_xact_lock(4906200703);

-- name: loss_of_place
-- The latest loss there that ops have not acknowledged, of the hour before.
select max(loss_id) from store_losses
  where sale_number = $1 and partition = $2 and acknowledged_at is null and at > clock_timestamp() - interval '1 hour';

-- name: cursor_of
select entry_id from stream_cursors where sale_number = $1 and partition = $2;

-- name: known_lost
select order_id from lost_orders where order_id = any($1::uuid[]);

-- name: note_lost
insert into lost_orders (order_id, sale_number, partition, entry_id, loss_id)
select *, $5 from unnest($1::uuid[], $2::integer[], $3::smallint[], $4::text[])
on conflict (order_id) do nothing
returning sale_number;

-- name: summary
-- Of sales, not of shadows: the latest loss, and those of the last day that ops have not acknowledged.
select (select max(at) from store_losses) as last_at,
       (select count(*) from store_losses where at > clock_timestamp() - interval '1 day') as losses,
       (select count(*) from store_losses l
          where at > clock_timestamp() - interval '1 day' and acknowledged_at is null and is_unwitnessed(l.loss_id, l.in_use, l.is_listed, l.witnesses)) as unwitnessed,
       (select coalesce(sum(missing), 0)::bigint from store_losses where at > clock_timestamp() - interval '1 day') as missing,
       (select count(*) from lost_orders l left join store_losses s using (loss_id)
          where l.at > clock_timestamp() - interval '1 day' and s.acknowledged_at is null
            and not exists (select from orders o where o.order_id = l.order_id)) as lost;

-- name: list_losses
-- Newest first, below an id, of a sale, in these states.
select * from (
  select l.loss_id, s.sale_id, l.partition, l.at, l.found_by, l.missing, l.strays,
         l.store_id as history_to, l.cursor_id as drained_to, lost.orders as lost_orders, lost.order_ids,
         asked.asked, asked.said, asked.witness_ids, asked.said_at, asked.seen_at, is_unwitnessed(l.loss_id, l.in_use, l.is_listed, l.witnesses) as is_unknown,
         l.acknowledged_at, l.acknowledged_by, l.acknowledge_reason,
         case when l.acknowledged_at is not null then 'acknowledged'
              when is_unwitnessed(l.loss_id, l.in_use, l.is_listed, l.witnesses) or lost.orders > 0 then 'open' else 'settled' end as state
    from store_losses l
    join sales s using (sale_number)
    cross join lateral (
      select count(*) as orders, coalesce((array_agg(o.order_id order by o.entry_id))[:100], '{}') as order_ids
        from lost_orders o
        where o.loss_id = l.loss_id and not exists (select from orders made where made.order_id = o.order_id)) lost
    cross join lateral (
      select count(*) as asked, count(w.said_at) as said,
             coalesce((array_agg(w.witness_id order by w.said_at nulls first, w.witness_id))[:100], '{}') as witness_ids,
             coalesce((array_agg(w.said_at order by w.said_at nulls first, w.witness_id))[:100], '{}') as said_at,
             coalesce((array_agg(i.seen_at order by w.said_at nulls first, w.witness_id))[:100], '{}') as seen_at
        from loss_witnesses w left join intake_witnesses i using (witness_id) where w.loss_id = l.loss_id) asked
    where ($1::bigint is null or l.loss_id < $1) and ($2::text is null or s.sale_id = $2)
      and ($5::bigint is null or l.loss_id = $5)
) as known
  where state = any($3::text[])
  order by loss_id desc limit $4;

-- name: hold_loss
select loss_id from store_losses where loss_id = $1 for update;

-- name: acknowledge
update store_losses set acknowledged_at = clock_timestamp(), acknowledged_by = $2, acknowledge_reason = $3 where loss_id = $1;
