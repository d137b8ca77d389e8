-- What people have is found by the hash of an identity alone, which costs the drain half of what the unique key cost. An
-- identity belongs to one sale, and who counts holds the product's row of sale_products.

alter table identity_purchases drop constraint identity_purchases_pkey;
create index identity_purchases_identity on identity_purchases using hash (identity);

-- Confirmed by hand and paid for in another way than by the sale's payment provider; null: no.
alter table orders add column paid_elsewhere boolean;

-- An order that stood by has its units: an event of its own where it is still to be paid.
alter table order_events drop constraint order_events_kind_check;
alter table order_events add constraint order_events_kind_check
  check (kind in ('line_cancelled', 'shipment', 'refund', 'action_required', 'served'));
