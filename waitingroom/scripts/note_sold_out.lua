-- Says what is sold out; the whole of it stops the outflow and the joining until it is taken back.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- ARGV[1]    '1': everything is, '0': not everything
-- ARGV[2]    ids of the products that are, one a line
--
-- Result     1; or {'no_room'}
--
-- include: clock
-- include: advance

local room = open_room()
if not room then
  return {'no_room'}
end
advance(room, clock_ms())
room.sold_out = tonumber(ARGV[1])
save(room)
redis.call('HSET', KEYS[1], 'sold_out_products', ARGV[2])
return 1
