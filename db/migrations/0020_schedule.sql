-- A sale has a plan: what changes when, and what is done ahead of it.

alter table sales
  -- [{"at", "phase"?, "room"?}], in time order. Whoever reads the row evaluates it; nothing ever applies it.
  add column timeline jsonb not null default '[]',
  -- The moment at which phase and room were as the row says; what the timeline names after it applies on top. Null: none.
  add column terms_at timestamptz,
  -- {"scale"?, "checks_at_s"?}: what was given beside the lead.
  add column prewarm jsonb not null default '{}';
