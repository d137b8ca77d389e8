-- Switches the safety net.
--
-- KEYS[1]    room (hash; lives as long as the sale); KEYS[2..5] not used
-- ARGV[1]    '1' on, '0' off
--
-- Result     1; or {'no_room'}

if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'no_room'}
end
redis.call('HSET', KEYS[1], 'net', ARGV[1])
return 1
