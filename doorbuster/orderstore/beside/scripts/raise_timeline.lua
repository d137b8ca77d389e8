-- Notes a timeline of a Postgres cluster, unless a higher one was seen.
--
-- KEYS[1]  timelines (hash, cluster -> the highest seen; no end)
-- ARGV[1]  id of the cluster
-- ARGV[2]  timeline; 0: none was seen, it is only asked
--
-- Result   the highest that was seen

local known = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if known >= tonumber(ARGV[2]) then
  return known
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return tonumber(ARGV[2])
