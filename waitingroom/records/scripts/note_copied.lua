-- Takes a minute off those that are to be copied, unless something was added since it was read.
--
-- KEYS[1..2] minute, minutes: see add_to_minute.lua
-- ARGV[1..3] minute, how many additions there were when it was read, for how many ms it is kept for what comes late
--
-- Result     1 taken off, 0 it is to be copied again

if (redis.call('HGET', KEYS[1], 'flushes') or ARGV[2]) ~= ARGV[2] then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
