-- What the scheduler asks twice a second. Everything here is a few index look-ups, whatever the tables hold.

-- name: partitions
-- Of all sales, also those long closed: whatever was accepted is drained. With $1 of shadows too, until they are closed.
select sale_number, partitions from sales
  where not is_shadow(sale_number) or $1 and phase <> 'closed'
  order by sale_number;

-- name: cursors
select sale_number, partition, entry_id, drained from stream_cursors where sale_number = any($1::integer[]);

-- name: due
-- Which of these partitions have a payment to try now. The first by the index, not `exists`, which may scan the table.
select w.sale_number, w.partition
  from unnest($1::integer[], $2::smallint[]) as w (sale_number, partition)
  cross join lateral (
    select from reservations r
      where r.sale_number = w.sale_number and r.partition = w.partition and r.due_at <= statement_timestamp()
      order by r.due_at
      limit 1
  ) as first;

-- name: any_expired
-- As the sweep would find it (reservations.sql, expired).
select exists (
  select from (
    select sale_number, partition from reservations
      where attempts > 0 and expires_at <= statement_timestamp() - make_interval(secs => $1::float8)
      order by expires_at
      limit 1000
  ) r
  where (
    select true from shifts s
      where s.name = 'settle:' || r.sale_number || ':' || r.partition and s.lease_expires_at > clock_timestamp()
  ) is null
);
