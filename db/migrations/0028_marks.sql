-- What is written down while sales go on, for their reports: when their plans were seen in force, and who was started.

create table timeline_marks (
  sale_number integer not null references sales,
  at          timestamptz not null,                     -- when an entry of the sale's timeline applies
  seen_at     timestamptz not null default clock_timestamp(), -- when a scheduler first saw it in force
  primary key (sale_number, at)
);

create table process_starts (
  role     text not null,                               -- intake, worker or scheduler
  name     text not null,                               -- as it calls itself: host and process
  began_at timestamptz not null,
  primary key (role, name, began_at)
);

create index process_starts_began on process_starts (began_at);
