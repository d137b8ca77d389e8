-- A sale keeps its one currency, and a dead letter says whose it is and what became of it.

create function keep_currency_of_sales() returns trigger language plpgsql as $$
declare
  holder text;
begin
  select s.sale_id into holder
    from sales s
    cross join lateral (
      select from sale_products sp
        where sp.sale_number = s.sale_number and sp.product_id = new.product_id limit 1
    ) sp
    where s.phase <> 'closed'
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

create trigger products_currency before update of currency on products for each row
  when (old.currency is distinct from new.currency) execute function keep_currency_of_sales();

-- What an order was refused for at its turn: line, product_id, and left, or limit and had.
alter table orders add column refusal jsonb;

alter table dead_letters
  add column customer_id    text,                        -- when the entry could be read that far
  add column failures       integer not null default 1,  -- how often it could not become an order
  add column failed_at      timestamptz not null default now(), -- the last time
  add column discarded_at   timestamptz,                 -- when ops gave it up
  add column discard_reason text;

create index dead_letters_by_customer on dead_letters (customer_id);
create index dead_letters_by_payload on dead_letters (md5(payload));

-- Dead letters with what became of each: an order that exists by now was made by a retry, or was sent again.
create view dead_letter_states as
  select d.*,
         (select sale_id from sales s where s.sale_number = d.sale_number) as sale_id,
         case when d.discarded_at is not null then 'discarded'
              when d.reason <> 'idempotency_conflict'
                and (select true from orders o where o.order_id = d.order_id limit 1) then 'resolved'
              when d.retried_at > d.failed_at then 'retried'
              else 'open' end as state
    from dead_letters d;

-- The customer stands behind 20 bytes of an entry of format 1; what cannot be read stays without.
do $$
declare
  letter record;
  head integer;
begin
  for letter in select dead_letter_id, payload from dead_letters where order_id is not null and length(payload) > 22 loop
    begin
      head := get_byte(letter.payload, 20);
      if head between 160 and 191 then
        update dead_letters set customer_id = convert_from(substr(letter.payload, 22, head - 160), 'UTF8')
          where dead_letter_id = letter.dead_letter_id;
      elsif head = 217 then
        update dead_letters set customer_id = convert_from(substr(letter.payload, 23, get_byte(letter.payload, 21)), 'UTF8')
          where dead_letter_id = letter.dead_letter_id;
      end if;
    exception when character_not_in_repertoire or untranslatable_character or data_exception then
      null;
    end;
  end loop;
end $$;
