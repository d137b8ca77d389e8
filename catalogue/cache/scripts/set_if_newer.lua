-- Stores what was read from Postgres, unless something newer is there or known of.
-- A fill that began too long ago is refused: the tombstone it had to see may have expired since.
-- KEYS[1] the subject's hash
-- ARGV    part, version, began (server's ms), longest a fill may take (ms), lifetime (ms), most parts, body
-- Result  {1} stored; {0, floor, log position} older than the floor; {2} a newer value is there; {3} too late; {4} full.
-- The key lives as long as its youngest value.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local part, version, began = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local ttl = tonumber(ARGV[5])
local found = redis.call('HMGET', KEYS[1], '@floor', '@lsn', part)
local floor = tonumber(found[1] or 0)
if version < floor then
  return {0, floor, tonumber(found[2] or 0)}
end
if now - began > tonumber(ARGV[4]) then
  return {3}
end
if found[3] then
  if tonumber(string.match(found[3], '^%d+')) > version then
    return {2}
  end
elseif redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then
  return {4}
end
redis.call('HSET', KEYS[1], part, string.format('%.0f %.0f %.0f ', version, now, now + ttl) .. ARGV[7])
if redis.call('PTTL', KEYS[1]) < ttl then
  redis.call('PEXPIRE', KEYS[1], ttl)
end
return {1}
