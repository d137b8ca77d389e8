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
