-- Appends a batch of events of a rehearsal's shadow: one command, one argument and one answer for all of them.
--
-- KEYS[1]   the shadow's event stream (capped)
-- ARGV[1]   how many entries it keeps, about
-- ARGV[2]   the encoded events in order, a line each
--
-- Result    nothing

local lines, from = ARGV[2], 1
while from <= #lines do
  local to = string.find(lines, '\n', from, true) or #lines + 1
  redis.call('XADD', KEYS[1], '*', 'event', string.sub(lines, from, to - 1))
  from = to + 1
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])  -- once a batch: with every entry it took an eighth of the time
