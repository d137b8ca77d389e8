-- name: note
-- An intake says of itself what it accepted latest, partition by partition; who notes lives, whatever was thought of it.
insert into intake_witnesses (witness_id, durability, histories, sale_numbers, partitions, entry_ids, order_ids, ended_at)
values ($1, $2, $3, $4, $5, $6, $7, case when $8 then clock_timestamp() end)
on conflict (witness_id) do update set
  seen_at = clock_timestamp(), settled_at = null, ended_at = excluded.ended_at, durability = excluded.durability,
  histories = excluded.histories, sale_numbers = excluded.sale_numbers, partitions = excluded.partitions,
  entry_ids = excluded.entry_ids, order_ids = excluded.order_ids;

-- name: forget
-- Of days ago; what was asked of them stays with the loss.
delete from intake_witnesses where seen_at < clock_timestamp() - interval '7 days';

-- name: gone
-- Intakes that ended, or have not said a word for so many seconds, and whose matter is open.
select witness_id, seen_at, ended_at is not null as has_ended, durability, histories,
       sale_numbers, partitions, entry_ids, order_ids,
       extract(epoch from clock_timestamp() - seen_at)::float8 as silent_s
  from intake_witnesses
  where settled_at is null and witness_id <> $1
    and (ended_at is not null or seen_at < clock_timestamp() - make_interval(secs => $2::float8))
  order by seen_at limit 20;

-- name: settle
-- By one of those who look after it, and only if it did not say anything meanwhile.
update intake_witnesses set settled_at = clock_timestamp()
  where witness_id = $1 and settled_at is null and seen_at = $2
  returning witness_id;
