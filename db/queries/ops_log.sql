-- name: note
insert into ops_log (action, target, change, operator, key_name) values ($1, $2, $3, $4, $5) returning entry_id;

-- name: amend
-- An import is one entry that grows with each of its transactions.
update ops_log set change = $2 where entry_id = $1;

-- name: list
-- Newest first; the cursor is the entry_id of the page's last row.
select entry_id, at, action, target, change, operator, key_name
  from ops_log
  where entry_id < coalesce($1::bigint, 9223372036854775807)
  order by entry_id desc
  limit $2;

-- name: list_of_target
-- The same of one target.
select entry_id, at, action, target, change, operator, key_name
  from ops_log
  where target = $3 and entry_id < coalesce($1::bigint, 9223372036854775807)
  order by target desc, entry_id desc
  limit $2;
