-- What became of each unit of a line, exactly, and of each parcel, so that an order can be shown as it stood at an event.
-- Null in all of these costs no byte of a row.

alter table order_lines
  add column replaced  smallint, -- units sent again for those lost on the way, beside those in `shipped`
  add column restocked smallint; -- of the returned: units that are in stock again

alter table order_events
  add column lines jsonb; -- units taken off by it before they left: [{line, quantity}]

alter table shipments
  add column status_seq smallint; -- of the event by which its status became what it is; null: by which it was sent

alter table reservations
  add column lines_cancelled boolean; -- true: lines were cancelled while the payment was asked for; see refund_cancelled

-- What left before parcels were kept.
update order_lines l set shipped = l.quantity
  where order_id in (select order_id from orders where status in ('shipped', 'delivered', 'refunded'));
update order_lines l set returned = l.quantity
  where order_id in (select order_id from orders where status = 'refunded');
update order_lines l set restocked = l.quantity
  where order_id in (select order_id from orders where status = 'refunded')
    and exists (
      select from ops_log o
        where o.target = 'order:' || l.order_id and o.action = 'transition' and o.change ->> 'to' = 'refunded'
          and (o.change ->> 'restock')::boolean
    );

-- A unit is taken off, or leaves, never both.
alter table order_lines add constraint units_go_one_way check (
  coalesce(cancelled, 0) + coalesce(shipped, 0) <= quantity and coalesce(returned, 0) <= coalesce(shipped, 0)
  and coalesce(restocked, 0) <= coalesce(returned, 0)
);

-- The steps of the state machine, as db/orders/states.py has them; null: where an order begins.
create view order_steps (was, became) as
  select was::order_status, became::order_status
    from (values (null, 'pending'), (null, 'cancelled'),
                 ('pending', 'confirmed'), ('pending', 'cancelled'),
                 ('confirmed', 'processing'), ('confirmed', 'cancelled'),
                 ('processing', 'shipped'), ('processing', 'cancelled'),
                 ('shipped', 'delivered'), ('delivered', 'refunded')) as steps (was, became);
