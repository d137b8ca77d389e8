-- Sets the seed of the shuffle, once, for the cohort that the start has fixed. O(1), whatever the cohort's size.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- ARGV[1]    the cohort the seed was made for
-- ARGV[2]    the seed, 32 bytes
--
-- Result     1 set, 0 there is one already or the cohort is another; or {'no_room'}
--
-- include: clock
-- include: advance

local room = open_room()
if not room then
  return {'no_room'}
end
advance(room, clock_ms())
local set = 0
save(room)
if room.seed == '' and room.cohort_fixed == 1 and room.cohort == tonumber(ARGV[1]) and room.lobby_opens_ms > 0 then
  redis.call('HSET', KEYS[1], 'seed', ARGV[2])
  set = 1
end
return set
