-- What people have is found by the hash of an identity alone, which costs the drain half of what the unique key cost. An
-- identity belongs to one sale, and who counts holds the product's row of sale_products.

alter table identity_purchases drop constraint identity_purchases_pkey;
create index identity_purchases_identity on identity_purchases using hash (identity);
