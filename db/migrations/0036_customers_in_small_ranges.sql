-- Each statement a transaction of its own.
--
-- The filter of a full range is written anew for each order that comes to lie in a page of it: where larger orders left
-- room, or removed ones. One of 128 pages has 6 KB, which Postgres tries to compress each time, for up to 0.7 ms an order.
-- One of 8 pages has 400 bytes, which it leaves as they are, and all of them together are no larger. It is made while
-- orders are written. An attempt that was broken off has left an index that is not valid, which is in the way of the next.
drop index concurrently if exists orders_by_customer_pages;
create index concurrently orders_by_customer_pages on orders
  using brin (customer_id text_bloom_ops (false_positive_rate = 0.002)) with (pages_per_range = 8, autosummarize = off);
drop index concurrently if exists orders_by_customer_range;
-- So many ranges are filled in a second that autovacuum's list of single ones overflows: it makes all that are missing
-- each 100,000 orders.
alter table orders set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);
