-- name: refund_of_key
select refund_id, fingerprint from refunds where order_id = $1 and idempotency_key = $2;

-- name: add_refund
insert into refunds (refund_id, order_id, seq, amount, lines, reason, idempotency_key, fingerprint)
values ($1, $2, $3, $4, $5, $6, $7, $8);
