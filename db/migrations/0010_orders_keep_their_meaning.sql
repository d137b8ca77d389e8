-- A sale keeps its one currency, and a dead letter says whose it is and what became of it.

create function keep_currency_of_sales() returns trigger language plpgsql as $$
declare
  holder text;
begin
  select s.sale_id into holder
    from sale_products sp join sales s using (sale_number)
    where sp.product_id = new.product_id and s.phase <> 'closed'
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

create index sale_products_by_product on sale_products (product_id);

-- What an order was refused for at its turn: line, product_id, and left, or limit and had.
alter table orders add column refusal jsonb;

alter table dead_letters
  add column customer_id    text,                        -- when the entry could be read that far
  add column failures       integer not null default 1,  -- how often it could not become an order
  add column failed_at      timestamptz not null default now(), -- the last time
  add column discarded_at   timestamptz,                 -- when ops gave it up
  add column discard_reason text;

create index dead_letters_by_customer on dead_letters (customer_id);

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
