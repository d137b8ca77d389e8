-- The events of a rehearsal's shadow are told too, to a stream that nobody reads: telling is a tenth of what an order costs.
create index order_events_of_shadows on order_events (tx, position) where is_shadow_order(order_id);
