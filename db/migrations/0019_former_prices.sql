-- An order costs what was in force at its acceptance, whatever ops change before its drain.

-- What a product of a sale that is not closed cost before ops changed it: an order accepted before `until` and drained
-- later costs that (P11). Written by triggers, once a transaction, whoever changes a price.
create table former_prices (
  sale_number integer not null,
  product_id  text not null,
  until       timestamptz not null default clock_timestamp(),
  sale_price  bigint,                            -- null: the product's own held
  own_price   bigint not null,
  windows     jsonb,                             -- of product_prices: [starts_at, ends_at, price], times in microseconds
  tx          xid8 not null default pg_current_xact_id()
);

create index former_prices_of on former_prices (sale_number, product_id, until);

create function keep_former_prices(product text, own bigint) returns void language sql as $$
  insert into former_prices (sale_number, product_id, sale_price, own_price, windows)
  select s.sale_number, product, sp.price, own,
         (select jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                             (extract(epoch from ends_at) * 1000000)::bigint, r.price))
            from product_prices r where r.product_id = product)
    from sales s
    cross join lateral (
      select price from sale_products a where a.sale_number = s.sale_number and a.product_id = product limit 1
    ) sp
    where s.phase <> 'closed'
      and not exists (
        select from former_prices f
          where f.sale_number = s.sale_number and f.product_id = product and f.tx = pg_current_xact_id()
      )
$$;

create function keep_price_of_product() returns trigger language plpgsql as $$
begin
  perform keep_former_prices(old.product_id, old.price);
  return new;
end $$;

create function keep_price_of_sale() returns trigger language plpgsql as $$
begin
  insert into former_prices (sale_number, product_id, sale_price, own_price, windows)
    select f.sale_number, f.product_id, old.price, f.own_price, f.windows
      from (select old.sale_number, p.product_id, p.price as own_price,
                   (select jsonb_agg(jsonb_build_array((extract(epoch from starts_at) * 1000000)::bigint,
                                                       (extract(epoch from ends_at) * 1000000)::bigint, r.price))
                      from product_prices r where r.product_id = p.product_id) as windows
              from products p where p.product_id = old.product_id) f
      where not exists (
        select from former_prices g
          where g.sale_number = f.sale_number and g.product_id = f.product_id and g.tx = pg_current_xact_id()
      );
  return new;
end $$;

create function keep_price_windows() returns trigger language plpgsql as $$
begin
  perform keep_former_prices(p.product_id, p.price) from products p
    where p.product_id = coalesce(new.product_id, old.product_id);
  return coalesce(new, old);
end $$;

create trigger products_price before update of price on products for each row
  when (old.price is distinct from new.price) execute function keep_price_of_product();
create trigger sale_products_price before update of price on sale_products for each row
  when (old.price is distinct from new.price) execute function keep_price_of_sale();
create trigger product_prices_kept before insert or update or delete on product_prices for each row
  execute function keep_price_windows();
