-- Sets a room's configuration unless a newer one stands, and makes the room if there is none.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- ARGV       names and values in turn, as of RoomConfig; `changes` and `next_ms` are the sale's plan, see shared/advance.lua
--
-- Result     1 set, 0 a newer one stands
--
-- The beacon stays as it is once the cohort is fixed; the epoch never goes back, and a higher one revokes.
--
-- include: clock
-- include: advance
-- include: revoke

local given = {}
for i = 1, #ARGV, 2 do
  given[ARGV[i]] = ARGV[i + 1]
end
local standing = redis.call('HGET', KEYS[1], 'version')
if standing and tonumber(standing) > tonumber(given.version) then
  return 0
end

local room = open_room()
if room then
  advance(room, clock_ms())
  revoke(room, tonumber(given.epoch))
  if room.cohort_fixed == 1 then
    given.beacon = nil
  end
else
  local now = clock_ms()
  room = {epoch = given.epoch, last_ms = now, fresh = now < tonumber(given.opens_ms) and 1 or 0}
end
save(room)

local fields = {'config', pack_from(given, CONFIG, CONFIG_FORMAT)}
given.epoch = nil
for name, value in pairs(given) do
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
redis.call('HSET', KEYS[1], unpack(fields))
if given.next_ms ~= '0' then -- what of the plan is due already
  room = open_room()
  advance(room, clock_ms())
  save(room)
end
return 1
