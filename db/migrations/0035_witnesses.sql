-- Who may have answered 202 to what the order store lost, each intake's own word on it, and ops' leave to be silent about it.

-- Each process of the intake, as it last said of itself what it accepted: who is gone cannot be asked any more.
create table intake_witnesses (
  witness_id   uuid primary key,
  began_at     timestamptz not null default clock_timestamp(),
  seen_at      timestamptz not null default clock_timestamp(),
  ended_at     timestamptz,              -- it ended by itself, having said all
  settled_at   timestamptz,              -- all that it can have accepted is in Postgres, or what may be lost was told
  durability   text not null,            -- what an order had to reach there before its 202
  histories    text[] not null,          -- replication ids of the order store's primaries when it last looked
  sale_numbers integer[] not null,       -- of the latest order that it accepted in each partition, and so the three below
  partitions   smallint[] not null,
  entry_ids    text[] not null,
  order_ids    uuid[] not null
);

create index intake_witnesses_open on intake_witnesses (seen_at) where settled_at is null;

-- Whom a loss was asked of: every intake that may have accepted an order behind the cursor.
create table loss_witnesses (
  loss_id    bigint not null references store_losses on delete cascade,
  witness_id uuid not null,
  said_at    timestamptz,                -- when it had looked for all of these orders; null: it has not, or cannot
  primary key (loss_id, witness_id)
);

alter table store_losses
  add column found_by           text not null default 'drain' check (found_by in ('drain', 'intake')),
  add column is_listed          boolean, -- somebody who was asked can have accepted the last drained entry; null: of the version before
  add column acknowledged_at    timestamptz,
  add column acknowledged_by    text,
  add column acknowledge_reason text,
  add constraint store_losses_acknowledged check ((acknowledged_at is null) = (acknowledge_reason is null));

alter table lost_orders add column loss_id bigint references store_losses;

create index lost_orders_loss on lost_orders (loss_id);

-- Says whether nobody knows what a loss took: one that may have accepted orders there has not looked for them, or none is known.
create function is_unwitnessed(loss bigint, in_use boolean, is_listed boolean, witnesses integer)
returns boolean language sql stable as $$
  select in_use and case
    when is_listed is null then witnesses = 0
    when not is_listed then true
    else exists (select from loss_witnesses w where w.loss_id = loss and w.said_at is null)
  end
$$;
