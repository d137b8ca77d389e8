-- name: get_stock
select product_id, stock, reserved, sold, received from stock where product_id = $1;

-- name: move_stock
-- Units come in (or, negative, go out); `received` moves along, so that the ledger stays balanced.
with moved as (
  update stock set stock = stock + $2, received = received + $2 where product_id = $1
  returning product_id, stock, reserved, sold, received
),
noted as (
  insert into stock_movements (product_id, quantity, reason) select product_id, $2, $3 from moved
)
select * from moved;

-- name: left
-- What is in stock of each product, whatever a sale may sell of it; a picture as well.
select product_id, stock from stock where product_id = any($1::text[]);

-- name: left_of_orders
select product_id, stock from stock
  where product_id = any(array(select product_id from order_lines where order_id = any($1::uuid[])));

-- name: available
-- What a sale can still sell of each product; nothing is locked, so it is a picture, not a promise.
select product_id, least(s.stock, coalesce(sp.quantity - sp.taken, s.stock)) as units
  from stock s
  join sale_products sp using (product_id)
  where sp.sale_number = $1 and sp.product_id = any($2::text[]) and s.product_id = any($2::text[]);
