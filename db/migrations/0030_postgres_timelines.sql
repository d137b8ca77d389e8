-- On which timelines of Postgres this database was written to: each promotion of a standby begins a new one.

create table postgres_timelines (
  timeline integer primary key check (timeline > 0),
  seen_at  timestamptz not null default clock_timestamp()
);
