-- What the report of a sale is told from, beside orders and money; and the reports themselves.

-- When units of a product ran out and when there were some again: of its stock, or of a sale's allotment. Written by
-- triggers in the transaction of whoever moves units, a row each time that it turns; no row where nothing turns.
create table shelf_turns (
  product_id  text not null,
  sale_number integer,                           -- whose allotment; null: the stock of all sales
  turn        bigint generated always as identity,
  at          timestamptz not null default clock_timestamp(),
  sold_out    boolean not null,
  tx          xid8 not null default pg_current_xact_id() -- what turns to and fro in one transaction, nobody saw
);

create index shelf_turns_of on shelf_turns (product_id, turn);

create function note_turn_of_stock() returns trigger language plpgsql as $$
begin
  insert into shelf_turns (product_id, sold_out) values (new.product_id, new.stock <= 0);
  return null;
end $$;

create function note_turn_of_allotment() returns trigger language plpgsql as $$
begin
  insert into shelf_turns (product_id, sale_number, sold_out)
    values (new.product_id, new.sale_number, coalesce(new.taken >= new.quantity, false));
  return null;
end $$;

create trigger stock_turns after update of stock on stock for each row
  when ((old.stock <= 0) <> (new.stock <= 0)) execute function note_turn_of_stock();
create trigger allotment_turns after update of taken, quantity on sale_products for each row
  when (coalesce(old.taken >= old.quantity, false) <> coalesce(new.taken >= new.quantity, false))
  execute function note_turn_of_allotment();

-- Alerts that fired, for whoever looks back: written by whoever judges them, a row from its beginning to its end.
create table alert_spells (
  spell_id  bigint generated always as identity primary key,
  name      text not null,
  severity  text not null,
  summary   text not null,
  began_at  timestamptz not null,
  seen_at   timestamptz not null,                -- last seen firing
  ended_at  timestamptz,                         -- null: it fires, or who judged it has died
  constraint spell_ends check (ended_at >= began_at)
);

-- An alert that several processes see at once is one.
create unique index alert_spells_firing on alert_spells (name) where ended_at is null;
create index alert_spells_by_time on alert_spells (began_at);

-- The report of a sale that is over. `over_at` is which end it tells of: a sale that is made to go on has another later.
create table sale_reports (
  sale_number integer primary key references sales on delete cascade,
  over_at     timestamptz not null,
  settled     boolean not null,                  -- nothing of the sale was under way any more
  written_at  timestamptz not null default clock_timestamp(),
  report      jsonb not null
);
