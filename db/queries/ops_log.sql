-- name: note
insert into ops_log (action, target, change, operator) values ($1, $2, $3, $4) returning entry_id;

-- name: amend
-- An import is one entry that grows with each of its transactions.
update ops_log set change = $2 where entry_id = $1;

-- name: list
-- Newest first; the cursor is the entry_id of the page's last row.
select entry_id, at, action, target, change, operator
  from ops_log
  where ($1::text is null or target = $1) and ($2::bigint is null or entry_id < $2)
  order by entry_id desc
  limit $3;
