-- What is known of the order store's losses: a server that took over, or was restored, without the last that was accepted.

create table store_losses (
  loss_id     bigint generated always as identity primary key,
  at          timestamptz not null default clock_timestamp(), -- when a drain found it
  sale_number integer not null references sales,
  partition   smallint not null,
  cursor_id   text not null,             -- up to which entry the partition was drained
  store_id    text not null,             -- up to which the store knew that it was; reading goes on from there
  last_id     text not null,             -- the last id that the store had given
  missing     bigint not null,           -- entries drained before that the store does not have any more: they are orders here
  strays      bigint not null,           -- entries accepted since, with ids below the cursor; drained like any other
  in_use      boolean not null,          -- it was drained within the hour before, so that accepted orders may have waited
  witnesses   integer not null default 0 -- intakes that have looked for every order they accepted behind the cursor
);

-- Orders that were answered 202 and that neither store had when an intake looked. One that is sent again is an order.
create table lost_orders (
  order_id    uuid primary key,
  sale_number integer not null references sales,
  partition   smallint not null,
  entry_id    text not null,
  at          timestamptz not null default clock_timestamp()
);
