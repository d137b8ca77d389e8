-- Adds what one process counted to a minute of a sale, once however often it is sent.
--
-- KEYS[1]    minute (hash: offered, joined, admitted, `refused:CODE:TENS`, `by:WRITER`, flushes; lives for `keep_ms`)
-- KEYS[2]    minutes (sorted set of the minutes that are to be copied, by their number; lives for `keep_ms`)
-- ARGV[1..4] writer, sequence number (grows with each batch of that writer), minute, keep_ms
-- ARGV[5..]  names and counts in turn
--
-- Result     1 added, 0 it was there

local by = 'by:' .. ARGV[1]
if tonumber(redis.call('HGET', KEYS[1], by) or '0') >= tonumber(ARGV[2]) then
  return 0
end
for i = 5, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('HSET', KEYS[1], by, ARGV[2])
redis.call('HINCRBY', KEYS[1], 'flushes', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
