-- Appends a batch of events to the event stream: one command and one answer for all of them.
--
-- KEYS[1]   the event stream (capped)
-- ARGV[1]   how many entries it keeps, about
-- ARGV[2..] an encoded event each, in order
--
-- Result    1 when the stream was there before, 0 when it began with this batch

local was_there = redis.call('EXISTS', KEYS[1])
for i = 2, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'event', ARGV[i])
end
return was_there
