-- Revokes every admission of an earlier epoch and takes its slots back.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- ARGV[1]    the new epoch
--
-- Result     1 revoked, 0 the room was there already; or {'no_room'}
--
-- include: clock
-- include: advance
-- include: revoke

local room = open_room()
if not room then
  return {'no_room'}
end
advance(room, clock_ms())
local revoked = revoke(room, tonumber(ARGV[1]))
save(room)
return revoked and 1 or 0
