-- A sale has a plan: what changes when, and what is done ahead of it.

-- Beside `sales`, for processes of the version before take a sale's row as it was, column by column. No row: no plan.
create table sale_plans (
  sale_number    integer primary key references sales on delete cascade,
  -- [{"at", "phase"?, "room"?}], in time order. Whoever reads the row evaluates it; nothing ever applies it.
  timeline       jsonb not null default '[]',
  -- The moment at which phase and room were as the row says; what the timeline names after it applies on top. Null: none.
  terms_at       timestamptz,
  plan_closes_at timestamptz,                                   -- of the timeline's closed, after terms_at
  -- {"scale"?, "checks_at_s"?}: what was given beside the lead.
  prewarm        jsonb not null default '{}'
);

-- Sales with their plans, as this version reads them.
create view planned_sales as
  select s.*, coalesce(p.timeline, '[]') as timeline, p.terms_at, p.plan_closes_at, coalesce(p.prewarm, '{}') as prewarm
    from sales s left join sale_plans p on p.sale_number = s.sale_number;

-- A sale has one currency, so its products keep theirs until it is closed, be it by its plan.
create or replace function keep_currency_of_sales() returns trigger language plpgsql as $$
declare
  holder text;
begin
  select s.sale_id into holder
    from planned_sales s
    cross join lateral (
      select from sale_products sp
        where sp.sale_number = s.sale_number and sp.product_id = new.product_id limit 1
    ) sp
    where s.phase <> 'closed' and (s.plan_closes_at is null or s.plan_closes_at > clock_timestamp())
    order by s.sale_number
    limit 1;
  if found then
    raise exception using
      errcode = 'check_violation',
      constraint = 'currency_of_sales',
      message = format('currency: stays %s while the product is in the sale %s, which is not closed', old.currency, holder);
  end if;
  return new;
end $$;
