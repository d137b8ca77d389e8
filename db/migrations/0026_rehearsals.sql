-- Rehearsals: shadows of sales, which are told by their numbers alone and seen by nobody who does not ask for them.

-- Numbers from 8388608 (half of what an order id can hold) belong to shadows: order ids, Redis keys and rows carry them.
create function is_shadow(sale_number integer) returns boolean language sql immutable strict parallel safe as $$
  select sale_number >= 8388608
$$;

create function is_shadow_order(order_id uuid) returns boolean language sql immutable strict parallel safe as $$
  select order_id >= '80000000-0000-0000-0000-000000000000'::uuid
$$;

create sequence shadow_numbers as integer minvalue 8388608 maxvalue 16777215 cycle;

alter table sale_plans
  add shadow_of integer references sales, -- of a rehearsal: the number of the sale it is a shadow of; null: a sale
  add constraint shadow_by_number check ((shadow_of is not null) = is_shadow(sale_number));

-- Sales with their plans, as this version reads them.
create or replace view planned_sales as
  select s.*, coalesce(p.timeline, '[]') as timeline, p.terms_at, p.plan_closes_at, coalesce(p.prewarm, '{}') as prewarm, p.shadow_of
    from sales s left join sale_plans p on p.sale_number = s.sale_number;

-- Of a rehearsal: sold by its shadow alone, shown nowhere, told to nobody.
alter table products add shadow boolean not null default false;
create index products_shadow on products (product_id) where shadow;

drop index order_events_outbox;
create index order_events_outbox on order_events (tx, position) where not is_shadow_order(order_id);

create or replace function note_new_products() returns trigger language plpgsql as $$
begin
  insert into product_changes (product_id, version, category)
    select product_id, version, category from new_rows where not shadow;
  return null;
end $$;

create or replace function note_changed_products() returns trigger language plpgsql as $$
begin
  insert into product_changes (product_id, version, category, former_category)
    select n.product_id, n.version, n.category, nullif(o.category, n.category)
      from new_rows n join old_rows o using (product_id)
      where not n.shadow;
  return null;
end $$;

-- What was rehearsed, and with which result. The shadow of one whose lease has ended is removed.
create table rehearsals (
  rehearsal_id     bigint generated always as identity primary key,
  sale_number      integer not null references sales,   -- of the sale itself
  shadow_number    integer not null check (is_shadow(shadow_number)),
  shadow_id        text not null,                       -- the shadow's sale_id
  partitions       smallint not null,                   -- of the shadow, also when its row is gone
  started_at       timestamptz not null default clock_timestamp(),
  lease_expires_at timestamptz not null,
  closed_at        timestamptz,                         -- when the shadow was closed: what it left is removed from then on
  remove_at        timestamptz,                         -- not before: whoever has a copy of the shadow has dropped it then
  removed_at       timestamptz,                         -- when no trace was left
  finished_at      timestamptz,                         -- when its result was handed in; null: it was stopped, or runs
  result           jsonb,
  constraint removed_when_closed check (removed_at is null or closed_at is not null),
  constraint finished_with_result check ((finished_at is null) = (result is null))
);

create index rehearsals_by_sale on rehearsals (sale_number, rehearsal_id);
create index rehearsals_standing on rehearsals (lease_expires_at) where removed_at is null;

-- Deletes up to `most` rows of a table that are a shadow's, by the column that says whose they are; returns how many.
create function remove_shadow_rows(place text, by text, shadow integer, most bigint) returns bigint language plpgsql as $$
declare
  whose text := case by
    when 'order_id' then '%2$I >= $2 and %2$I < $3'
    when 'shipment_id' then '%2$I in (select s.shipment_id from shipments s where s.order_id >= $2 and s.order_id < $3)'
    when 'sale_number' then '%2$I = $1'
    when 'sale_id' then '%2$I = (select r.shadow_id from rehearsals r where r.shadow_number = $1)'
    when 'product_id' then '%2$I in (select p.product_id from products p where p.shadow '
                           'and starts_with(p.product_id, ''shadow~'' || $1 || ''~''))'
  end;
  removed bigint;
begin
  if not is_shadow(shadow) then
    raise exception 'sale % is no shadow', shadow;
  end if;
  execute format('delete from %1$I where ctid = any(array(select ctid from %1$I where ' || whose || ' limit $4))', place, by)
    using shadow, (lpad(to_hex(shadow), 6, '0') || repeat('0', 26))::uuid,
          (lpad(to_hex(shadow), 6, '0') || repeat('f', 26))::uuid, most;
  get diagnostics removed = row_count;
  return removed;
end $$;

-- The tables without any shadow, each as a view of its name in the schema `real`: what is listed, searched, audited and
-- reported reads these and cannot show one. Made anew after every migration, so that new tables and columns are in them.
create function make_real_views() returns void language plpgsql as $$
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
        and (c.relkind = 'r' or c.relname in ('dead_letter_states', 'planned_sales'))
        and a.attname in ('shadow', 'order_id', 'sale_number', 'product_id')
      group by c.oid, c.relname
      having bool_or(a.attname in ('shadow', 'sale_number', 'product_id') or a.attnotnull)
      order by c.relname
  loop
    execute format('create or replace view real.%1$I as select * from public.%1$I t where %2$s', place.name, place.rule);
  end loop;
end $$;

select make_real_views();
