-- Prices that held before ops changed them, as far as an order accepted before could still be drained.

-- name: aged
-- Sales with rows older than $1 seconds, the oldest first.
select sale_number, (select partitions from sales s where s.sale_number = f.sale_number) as partitions
  from (
    select sale_number from former_prices
      where until < statement_timestamp() - make_interval(secs => $1::float8)
      order by until
      limit 1000
  ) as f
  group by sale_number;

-- name: forget
delete from former_prices where sale_number = $1 and until < $2;
