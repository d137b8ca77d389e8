-- Counts a request: the least that asking a store by a script can do.
--
-- KEYS[1]    the count (string; as long as the measurement)
--
-- Result     how many there were

return redis.call('INCR', KEYS[1])
