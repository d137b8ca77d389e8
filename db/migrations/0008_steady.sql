-- How much a shift takes at a time, kept over its end: what outlived a lease comes back smaller. Null: as much as fits.
alter table shifts add column batch_max integer check (batch_max > 0);
-- Of a settle shift: payments a second that its gateway takes at this concurrency; null: not known, or it answers at once.
alter table shifts add column payments_per_s real;

-- A hold that ended is cancelled by the sweep only if its payment was asked for: nothing else needs to be found by its
-- end, and an order that is paid at once never enters this index.
drop index reservations_expiring;
create index reservations_expiring on reservations (expires_at) where attempts > 0;

-- Tables that churn. Vacuum comes by number of dead rows, not by share of a table that is empty one minute and full the
-- next; it gives no pages back at their end, since for that it would lock out everyone else.
alter table reservations set (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100000, vacuum_truncate = off,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);
alter table shifts set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);
alter table stream_cursors
  set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);
alter table relay_cursors
  set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);
alter table stock set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);
alter table sale_products
  set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);
alter table product_changes set (vacuum_truncate = off);
