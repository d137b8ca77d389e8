-- Payments that are asked for by settle and money shifts: when they pause, what failed for good, what a simulated provider has.

-- A provider that is down, or takes no more for now, lets the shifts that ask it pause.
alter table shifts
  add column payments_paused text check (payments_paused in ('down', 'rate_limited')), -- of a settle or money shift
  add column payments_paused_until timestamptz; -- when it asks again, or asked again

-- Why ops gave up an operation that failed for good.
alter table payment_operations add column discard_reason text;

-- Failed for good: a person must look.
create index payment_operations_failed on payment_operations (operation_id) where state = 'failed';

-- Whether a sale limits cards at all, which is asked of each of its payments.
create index sale_products_limiting_cards on sale_products (sale_number) where limit_card is not null;

-- The books of the simulated provider: what cannot be told from the payment token alone. Nobody else reads them.
create table simulated_payments (
  order_id   uuid primary key,
  status     text not null check (status in ('coming', 'requires_action', 'authorised', 'captured', 'voided', 'declined')),
  total      bigint not null,              -- minor units that were asked for
  currency   text not null,
  capture    boolean not null,             -- whether it is taken at once when it succeeds
  captured   bigint not null default 0,
  refunded   bigint not null default 0,
  card       text,                         -- the card's fingerprint
  turns_at   timestamptz,                  -- when what is coming, or the shopper's action, ends by itself; null: never
  succeeds   boolean not null default true, -- what it becomes then
  keys       text[] not null default '{}', -- of what was done once, and is not done again
  created_at timestamptz not null default clock_timestamp(),
  constraint not_more_given_back_than_taken check (refunded <= captured and captured <= total)
) with (fillfactor = 70);

create index simulated_payments_by_time on simulated_payments (created_at);
