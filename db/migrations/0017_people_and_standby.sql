-- What people have of limited products, and orders that wait for units to come back.

-- Units of limited products in orders not cancelled, by who is behind the customer: `identity` is the HMAC of an e-mail,
-- card, address or device, see orders.identities.
create table identity_purchases (
  sale_number integer not null,
  identity    bytea not null,
  product_id  text not null,
  quantity    integer not null check (quantity >= 0),
  primary key (sale_number, identity, product_id)
);

-- Numbers in which orders join the standby and are served.
create sequence standby_turns;

-- Orders that wait for units to come back, a row for each product that one wants; pending without a reservation. A row
-- stays when its order was served, for the audit; it goes with an order that is cancelled while it waits.
create table standby (
  order_id    uuid not null,
  product_id  text not null,
  sale_number integer not null,
  partition   smallint not null,
  entry_seq   integer not null,
  quantity    integer not null,
  accepted_at timestamptz not null,
  joined      bigint not null default nextval('standby_turns'),
  served      bigint, -- null: it waits
  primary key (order_id, product_id)
);

-- The list of each product, in the order of acceptance; and how many wait in a sale.
create index standby_waiting on standby (product_id, accepted_at, entry_seq, partition, order_id) where served is null;
create index standby_by_sale on standby (sale_number, order_id) where served is null;
