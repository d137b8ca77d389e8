-- Puts a floor under a subject: nothing older than this version is stored or shown from now on. Repeating changes nothing.
-- KEYS[1] the subject's hash   ARGV version, log position, how long the floor is kept (ms)
-- Result  1 if the floor rose.
local version = tonumber(ARGV[1])
local floor = tonumber(redis.call('HGET', KEYS[1], '@floor') or 0)
if version <= floor then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], '@floor', ARGV[1], '@lsn', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
