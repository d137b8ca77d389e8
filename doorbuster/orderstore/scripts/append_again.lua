-- Appends an entry again that became a dead letter, counted like those of the accept script.
--
-- KEYS[1]  gate of the partition (hash; lives as long as the sale)
-- KEYS[2]  stream of the partition (trimmed by the drain)
-- ARGV[1]  the entry
--
-- Result   the id that it got

local counted = redis.call('HMGET', KEYS[1], 'accepted_bytes', 'drained_bytes')
local stored = tonumber(counted[1] or '0')
local total = math.max(stored, tonumber(counted[2] or '0')) + #ARGV[1]
redis.call('HINCRBY', KEYS[1], 'accepted_bytes', total - stored)
redis.call('HINCRBY', KEYS[1], 'accepted', 1)
return redis.call('XADD', KEYS[2], '*', 'e', ARGV[1], 'b', total)
