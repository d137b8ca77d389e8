-- The outbox of catalogue changes: written by triggers, read by two kinds of readers.

-- name: unrelayed
-- For a relay with a cursor: behind it, and below every transaction still open, so that a late commit is never passed.
select product_id, version, category, former_category,
       extract(epoch from clock_timestamp() - at)::float8 as age_s, position, tx::text::bigint as tx
  from product_changes e
  where (e.tx, e.position) > ($1::text::xid8, $2) and e.tx < pg_snapshot_xmin(pg_current_snapshot())
  order by e.tx, e.position
  limit $3;

-- name: any_unrelayed
-- The first behind the cursor is the oldest; by the index, not `exists`, which may scan the table.
select coalesce((
  select e.at <= clock_timestamp() - make_interval(secs => $2::float8) from product_changes e
    where (e.tx, e.position) > (
      coalesce((select c.tx from relay_cursors c where relay = $1), '0'::xid8),
      coalesce((select c.position from relay_cursors c where relay = $1), 0)
    )
    and e.tx < pg_snapshot_xmin(pg_current_snapshot())
    order by e.tx, e.position
    limit 1
), false);

-- name: recent
-- For a process that begins to follow: what changed lately, what it sees from here on, and how far the log is.
select pg_current_snapshot()::text as snapshot,
       (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint as lsn,
       coalesce((select jsonb_agg(jsonb_build_array(product_id, version, category, former_category)) from (
         select * from product_changes where at > statement_timestamp() - make_interval(secs => $1::float8) limit $2
       ) c), '[]') as changes;

-- name: appeared
-- For a process that follows: exactly what was committed since its last snapshot. Waits for no open transaction.
select pg_current_snapshot()::text as snapshot,
       (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint as lsn,
       coalesce((select jsonb_agg(jsonb_build_array(product_id, version, category, former_category)) from (
         select * from product_changes
           where tx >= pg_snapshot_xmin($1::text::pg_snapshot)
             and not pg_visible_in_snapshot(tx, $1::text::pg_snapshot)
           limit $2
       ) c), '[]') as changes;

-- name: lsn
select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint;

-- name: replica_state
-- The timeline that it receives; 0: it receives none now, or does not say.
select pg_is_in_recovery() as in_recovery,
       coalesce((pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint, 0) as lsn,
       coalesce((select received_tli from pg_stat_wal_receiver), 0) as timeline;

-- name: forget_changes
-- What all of these relays have passed and no process that starts looks back to, the oldest first, so many at a time.
with passed as materialized (
  select c.tx, c.position
    from unnest($1::text[]) as r (relay)
    left join lateral (select tx, position from relay_cursors a where a.relay = r.relay limit 1) c on true
    order by c.tx nulls first, c.position
    limit 1
)
delete from product_changes
  where ctid = any(array(
    select e.place
      from (
        select ctid as place, tx, position from product_changes
          where at < statement_timestamp() - make_interval(secs => $2::float8)
          order by at
          limit $3
      ) e
      where (e.tx, e.position) <= ((select tx from passed), (select position from passed))
  ));
