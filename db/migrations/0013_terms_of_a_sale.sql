-- Limits on people, not on accounts, and how many orders may stand by.

alter table sales
  add column standby_max integer not null default 10000 check (standby_max between 0 and 1000000),
  -- Of the sale's HMACs of identities; never shown.
  add column identity_key bytea not null
    default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

-- Most units that all orders with the same identity may have; null: no limit.
alter table sale_products
  add column limit_email   integer check (limit_email > 0),
  add column limit_card    integer check (limit_card > 0),
  add column limit_address integer check (limit_address > 0),
  add column limit_device  integer check (limit_device > 0);

-- Who is behind the customer: of each identity a byte for which it is (1 e-mail, 2 card, 3 address, 4 device), then 16 of
-- its HMAC under the sale's key. Null costs no byte.
alter table orders add column identities bytea;
