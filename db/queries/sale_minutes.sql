-- name: put
-- As the room's store has the minute by now, which only grows; a store that was replaced has less, and changes nothing.
insert into sale_minutes as m (sale_number, minute, offered, admitted, joined, refused)
select $1, to_timestamp($2::bigint * 60), $3, $4, $5, $6
  where exists (select from sales where sale_number = $1)
on conflict (sale_number, minute) do update
  set offered = excluded.offered, admitted = excluded.admitted, joined = excluded.joined, refused = excluded.refused
  where excluded.offered >= m.offered and excluded.admitted >= m.admitted and excluded.joined >= m.joined;

-- name: of_sale
select minute, offered, admitted, joined, refused from sale_minutes where sale_number = $1 order by minute;
