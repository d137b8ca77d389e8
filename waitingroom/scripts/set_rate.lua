-- Sets the controller's rate; what the bucket earned until now was earned at the old one.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- ARGV[1]    admissions per second, or '' for none
-- ARGV[2]    why, as of `Decision.packed`, or ''
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
room.has_rate_now = ARGV[1] ~= '' and 1 or 0
room.rate_now = tonumber(ARGV[1]) or 0
save(room)
redis.call('HSET', KEYS[1], 'decision', ARGV[2] or '')
return 1
