-- What a sale was offered, minute by minute, as its report shows it.
create table sale_minutes (
  sale_number integer not null references sales on delete cascade,
  minute      timestamptz not null check (minute = date_trunc('minute', minute, 'UTC')), -- its beginning
  offered     bigint not null default 0 check (offered >= 0),
  admitted    bigint not null default 0 check (admitted >= 0),
  joined      bigint not null default 0 check (joined >= 0),
  refused     jsonb not null default '{}',
  primary key (sale_number, minute)
);
