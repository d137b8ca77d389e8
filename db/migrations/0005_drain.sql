-- Room on a page for every order's next version: payment comes seconds after the order, and an update that finds room
-- beside the old version writes no index.
alter table orders set (fillfactor = 50);

-- A batch's reservations are due at one time: ordered by that alone, they are added at the index's end.
drop index reservations_due;
create index reservations_due on reservations (sale_number, partition, due_at);
