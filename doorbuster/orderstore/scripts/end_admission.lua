-- Ends an admission in one partition: no order is accepted with it from now on. Again changes nothing.
--
-- KEYS[1]     `spent` key of the admission (string): orders placed with it; from ENDED on it is ended, and what is over
--             that are the orders placed before
-- ARGV[1]     lifetime of the key in ms: longer than the admission's
--
-- Result      how many orders were placed with it here

local ENDED = 1000000000 -- more than any admission allows

-- Written again too, so that WAIT covers what another connection has written.
local placed = tonumber(string.match(redis.call('GET', KEYS[1]) or '0', '^%d+')) % ENDED
redis.call('SET', KEYS[1], string.format('%d', placed + ENDED), 'PX', ARGV[1])
return placed
