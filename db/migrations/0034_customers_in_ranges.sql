-- Each statement a transaction of its own.
--
-- A customer's orders are looked for by ops alone, a few times an hour: a filter for each 128 pages of orders, written
-- once, in the place of an entry in a random page for each order. It is made while orders are written. An attempt that
-- was broken off has left an index that is not valid, which is in the way of the next.
drop index concurrently if exists orders_by_customer_range;
create index concurrently orders_by_customer_range on orders
  using brin (customer_id text_bloom_ops (false_positive_rate = 0.002)) with (pages_per_range = 128, autosummarize = on);
drop index concurrently if exists orders_by_customer;
-- The last range is still being filled: its filter would be written anew for each order there.
select brin_desummarize_range('orders_by_customer_range', pg_relation_size('orders') / current_setting('block_size')::integer);
