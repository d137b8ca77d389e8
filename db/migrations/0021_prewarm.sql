-- A sale pre-warms itself: what was done ahead of it, what was found each time it was looked at, how far it is scaled out.

-- What the clock asks for ahead of a start, each once: rows decide, whoever and however many look. A start that is moved
-- has steps of its own.
create table prewarm_steps (
  sale_number integer not null,
  starts_at   timestamptz not null,              -- of the sale, as it stood
  step        text not null,                     -- warm, check:600, refill; ahead, scale_out, scale_back
  taken_until timestamptz not null,              -- whoever took it has until then; after that another may
  attempts    integer not null default 1,
  done_at     timestamptz,                       -- null: somebody is at it, or died
  result      jsonb,
  primary key (sale_number, starts_at, step)
);

-- Go or no-go, each time somebody looked.
create table prewarm_reports (
  report_id   bigint generated always as identity primary key,
  sale_number integer not null,
  at          timestamptz not null default clock_timestamp(),
  occasion    text not null,                     -- the step, or ops
  go          boolean not null,
  checks      jsonb not null
);
create index prewarm_reports_by_sale on prewarm_reports (sale_number, report_id);

-- How far it is scaled out, of each adapter: before is what it was without any sale's wish.
create table scaling (
  adapter     text primary key,
  before      jsonb,                             -- null: not scaled out
  wanted      jsonb,                             -- the largest of the sales' wishes that was put in force
  sales       integer[] not null default '{}',   -- whose wishes these are
  taken_until timestamptz not null default '-infinity', -- whoever puts a wish in force has until then
  failures    integer not null default 0,        -- in a row
  error       text,
  changed_at  timestamptz not null default clock_timestamp()
);

-- How fast a sale's drains worked while there was always more for them to do: what they can do.
create table drain_paces (
  sale_number integer primary key,
  drained     bigint not null,
  busy_s      double precision not null,
  measured_at timestamptz not null default clock_timestamp()
);
