-- Room on a page for every order's next version: payment comes seconds after the order, and an update that finds room
-- beside the old version writes no index.
alter table orders set (fillfactor = 50);
