-- What people have of limited products, a row for many of them: a batch of a drain adds about one for every two to eight
-- orders, where a row for each identity and its entry in an index were four each an order.

create sequence people_numbers;

alter table sale_products add column people_number bigint not null default 0;

create table people_counts (
  number      bigint not null,
  sale_number integer not null,
  units       integer not null,
  bucket      smallint not null,
  product_id  text not null,
  identities  bytea not null check (length(identities) % 16 = 0)
);

insert into people_counts (number, sale_number, units, bucket, product_id, identities)
select 1, sale_number, quantity, get_byte(identity, 0), product_id, string_agg(identity, ''::bytea order by identity)
  from identity_purchases where quantity > 0 group by sale_number, quantity, get_byte(identity, 0), product_id;

update sale_products set people_number = nextval('people_numbers');

create index people_counts_bucket on people_counts (sale_number, bucket);
create index people_counts_since on people_counts (sale_number, product_id, number);

drop view if exists real.identity_purchases;
drop table identity_purchases;

create view identity_purchases as
  select sale_number, identity, product_id, sum(units)::integer as quantity
    from (
      select sale_number, product_id, units, substring(identities from at for 16) as identity
        from people_counts cross join lateral generate_series(1, length(identities) - 15, 16) as at
    ) as each_one
    group by sale_number, identity, product_id
    having sum(units) <> 0;

-- Former prices are forgotten, the oldest first.
create index former_prices_until on former_prices (until);

-- Of a void of an order that still waits: when it was decided. From then on it may be on its way.
alter table payment_operations add column decided_at timestamptz;

-- As before, and of people one by one too.
create or replace function make_real_views() returns void language plpgsql as $$
declare
  place record;
begin
  create schema if not exists real;
  for place in
    select c.relname as name,
           case when bool_or(a.attname = 'shadow') then 'not t.shadow'
                when bool_or(a.attname = 'order_id' and a.attnotnull) then 'not is_shadow_order(t.order_id)'
                when bool_or(a.attname = 'sale_number') then 'not coalesce(is_shadow(t.sale_number), false)'
                else 'not exists (select from public.products p where p.product_id = t.product_id and p.shadow)'
           end as rule
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relname <> 'rehearsals'
        and (c.relkind = 'r' or c.relname in ('dead_letter_states', 'planned_sales', 'identity_purchases'))
        and a.attname in ('shadow', 'order_id', 'sale_number', 'product_id')
      group by c.oid, c.relname
      having bool_or(a.attname in ('shadow', 'sale_number', 'product_id') or a.attnotnull)
      order by c.relname
  loop
    execute format('create or replace view real.%1$I as select * from public.%1$I t where %2$s', place.name, place.rule);
  end loop;
end $$;
