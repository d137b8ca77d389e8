-- Sets a partition's gate from what Postgres says, unless a newer version is there already.
--
-- KEYS[1]  gate of the partition (hash; lives as long as the sale)
-- ARGV[1]  version of the sale's row
-- ARGV[2]  phase: open | hold | drain | closed
-- ARGV[3]  opens_ms, Unix milliseconds
-- ARGV[4]  closes_ms, Unix milliseconds; 0: no end
-- ARGV[5]  epoch of the sale's room: admissions of an earlier one are revoked
-- ARGV[6]  changes of the phase by the sale's plan, in time order: 'ms:phase,ms:phase'; empty: none, and no field says so
--
-- Result   1 set, 0 a newer version stands
-- The counters `accepted` and `drained` of the hash are not touched.

local stored = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if stored > tonumber(ARGV[1]) then
  return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'phase', ARGV[2], 'opens_ms', ARGV[3], 'closes_ms', ARGV[4],
  'epoch', ARGV[5])
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], 'changes', ARGV[6])
else
  redis.call('HDEL', KEYS[1], 'changes')
end
return 1
