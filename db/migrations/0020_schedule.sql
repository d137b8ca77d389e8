-- A sale has a plan: what changes when, and what is done ahead of it.

alter table sales
  -- [{"at", "phase"?, "room"?}], in time order. Whoever reads the row evaluates it; nothing ever applies it.
  add column timeline jsonb not null default '[]',
  -- The moment at which phase and room were as the row says; what the timeline names after it applies on top. Null: none.
  add column terms_at timestamptz,
  add column plan_closes_at timestamptz,                                   -- of the timeline's closed, after terms_at
  -- {"scale"?, "checks_at_s"?}: what was given beside the lead.
  add column prewarm jsonb not null default '{}';

-- A sale has one currency, so its products keep theirs until it is closed, be it by its plan.
create or replace function keep_currency_of_sales() returns trigger language plpgsql as $$
declare
  holder text;
begin
  select s.sale_id into holder
    from sales s
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
