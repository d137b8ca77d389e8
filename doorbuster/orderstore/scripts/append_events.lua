-- Appends a batch of events to the event stream: one command, one argument and one answer for all of them.
--
-- KEYS[1]   the event stream (capped)
-- ARGV[1]   how many entries it keeps, about
-- ARGV[2]   the encoded events in order, a line each
--
-- ARGV[3]   the encoded event that was appended last, as the relay knows it; empty: it does not
--
-- Result    1 when the stream was there before, 0 when it began with this batch, -1 when another event is its last one:
--           its server lost its end, and nothing was done

local was_there = redis.call('EXISTS', KEYS[1])
if was_there == 1 and ARGV[3] ~= '' then
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if not last or last[2][2] ~= ARGV[3] then
    return -1
  end
end
local lines, from = ARGV[2], 1
while from <= #lines do
  local to = string.find(lines, '\n', from, true) or #lines + 1
  redis.call('XADD', KEYS[1], '*', 'event', string.sub(lines, from, to - 1))
  from = to + 1
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])  -- once a batch: with every entry it took an eighth of the time
return was_there
