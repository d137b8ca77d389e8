-- What was accepted before a sale was closed may still wait when ops change a price: it costs what was in force then.
create or replace function keep_former_prices(product text, own bigint) returns void language sql as $$
  insert into former_prices (sale_number, product_id, sale_price, own_price, windows)
  select s.sale_number, product, sp.price, own,
         (select jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                             (extract(epoch from ends_at) * 1000000)::bigint, r.price))
            from product_prices r where r.product_id = product)
    from sales s
    cross join lateral (
      select price from sale_products a where a.sale_number = s.sale_number and a.product_id = product limit 1
    ) sp
    -- Until nothing of it can wait any more: a week and a day, or longer if its report says that something does.
    where (s.phase <> 'closed' or s.closed_at > clock_timestamp() - interval '8 days'
           or exists (select from sale_reports r where r.sale_number = s.sale_number and not r.settled))
      and not exists (
        select from former_prices f
          where f.sale_number = s.sale_number and f.product_id = product and f.tx = pg_current_xact_id()
      )
$$;
