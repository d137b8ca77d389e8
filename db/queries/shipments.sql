-- name: add_shipment
insert into shipments (shipment_id, order_id, seq, carrier, tracking) values ($1, $2, $3, $4, $5);

-- name: add_shipment_line
insert into shipment_lines (shipment_id, line, quantity, replaces) values ($1, $2, $3, $4);

-- name: change_shipment
-- Its order is locked.
update shipments
  set status = $2, status_seq = coalesce($3, status_seq), carrier = coalesce($4, carrier),
      tracking = coalesce($5, tracking), updated_at = clock_timestamp()
  where shipment_id = $1;

-- name: label_of
select carrier, tracking from shipments where shipment_id = $1;
