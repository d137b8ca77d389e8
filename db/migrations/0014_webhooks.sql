-- Webhooks: endpoints, what is to be delivered to each, and what the world is told beside orders.

drop table webhooks; -- nothing wrote to it yet

-- Where events are delivered over HTTP.
create table webhooks (
  webhook_id    bigint generated always as identity primary key,
  url           text not null check (url ~ '^https?://'),
  events        text[] check (cardinality(events) > 0), -- types that it wants; null: all
  description   text not null default '',
  secret        text not null,                          -- signs; empty once the endpoint is deleted
  former_secret text,                                   -- signs too, until former_until
  former_until  timestamptz,
  state         text not null default 'active' check (state in (
    'active',   -- gets deliveries
    'paused',   -- failed too often in a row: deliveries wait; by the shift, until ops resume it
    'disabled', -- said that it is gone (410): gets nothing new; by the shift, until ops resume it
    'deleted'   -- by ops; the row goes when its deliveries are gone
  )),
  state_reason  text,
  failures      integer not null default 0,             -- failed attempts in a row
  retry_at      timestamptz,                            -- nothing is sent before; null: at once
  events_from   timestamptz not null default clock_timestamp(), -- events before come by a replay alone
  created_at    timestamptz not null default clock_timestamp(),
  constraint former_secret_ends check ((former_secret is null) = (former_until is null))
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- One row an event and endpoint: the queue, and the log. (webhook_id, event_id) makes an event one delivery.
create table webhook_deliveries (
  delivery_id    bigint generated always as identity primary key,
  webhook_id     bigint not null,
  event_id       text not null,              -- what the receiver knows it by, the same at every attempt
  type           text not null,
  subject        text not null,              -- whose events keep their order
  position       bigint not null,            -- within the subject
  order_id       uuid,                       -- of an order's event
  at             timestamptz not null,       -- of the event
  state          text not null default 'due' check (state in (
    'due',       -- to be sent at due_at, unless an earlier one of its subject is open
    'waiting',   -- an earlier one of its subject is open; the shift makes it due
    'delivered', -- the receiver took it
    'dead',      -- given up after too long: a dead letter, until a person retries or discards it
    'discarded'  -- by ops; or a test that failed
  )),
  due_at         timestamptz not null default clock_timestamp(), -- a test is due before all else: -infinity
  attempts       integer not null default 0,
  first_tried_at timestamptz,
  tried_at       timestamptz,
  finished_at    timestamptz,                -- when it was delivered, given up or discarded
  died_at        timestamptz,                -- when it became a dead letter
  status_code    smallint,                   -- of the last answer; null: there was none
  error          text,                       -- of the last attempt, if it failed
  body           text,                       -- as it was sent, once an attempt has failed: it is sent so again
  discard_reason text,
  created_at     timestamptz not null default clock_timestamp(),
  unique (webhook_id, event_id),
  constraint finished_when_not_open check ((finished_at is null) = (state in ('due', 'waiting')))
) with (
  fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, vacuum_truncate = off,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);

create index webhook_deliveries_due on webhook_deliveries (webhook_id, due_at, delivery_id) where state = 'due';
create index webhook_deliveries_open on webhook_deliveries (webhook_id, subject, position)
  where state in ('due', 'waiting');
create index webhook_deliveries_log on webhook_deliveries (webhook_id, delivery_id);
create index webhook_deliveries_dead on webhook_deliveries (delivery_id) where died_at is not null;
create index webhook_deliveries_given_up on webhook_deliveries (webhook_id) where state = 'dead';
create index webhook_deliveries_ended on webhook_deliveries (finished_at) where state in ('delivered', 'discarded');

-- What happens beside orders and is told: an outbox like order_events. Whoever sees it first writes it; the event's id
-- makes it one.
create table world_events (
  event_id text primary key,
  type     text not null,
  subject  text not null,
  data     jsonb not null,
  at       timestamptz not null default clock_timestamp(),
  position bigint generated always as identity,
  tx       xid8 not null default pg_current_xact_id()
);

create index world_events_outbox on world_events (tx, position);

-- What was so before nobody is told.
insert into world_events (event_id, type, subject, data)
  select 'sale:' || replace(sale_id, '.', '%2E') || ':' || e.type, 'sale.' || e.type, 'sale:' || sale_id, '{}'
    from sales, lateral (values
      ('prewarm', starts_at - make_interval(secs => prewarm_lead_s) <= now()),
      ('opened', starts_at <= now()),
      ('closed', phase = 'closed' or ends_at <= now())
    ) as e (type, is_over)
    where e.is_over;

-- Events that an endpoint gets once more, as they are walked through.
create table webhook_replays (
  replay_id  bigint generated always as identity primary key,
  webhook_id bigint not null,
  since      timestamptz not null,
  until      timestamptz not null,
  order_id   uuid,                           -- of this order alone
  source     text not null check (source in ('orders', 'world')),
  tx         xid8 not null default '0',      -- as far as it was walked
  position   bigint not null default 0
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off
);

-- Dead letters of payments.
create index payment_operations_given_up on payment_operations (operation_id) where state in ('failed', 'discarded');
