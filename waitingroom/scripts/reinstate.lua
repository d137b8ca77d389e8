-- Takes the slot of an admission again that was given back for an order which ended without units. Again changes nothing.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- KEYS[6]    bucket of the visitor's place (hash; lives as long as the sale)
-- ARGV[1]    the visitor's digest, 8 bytes
-- ARGV[2]    the ticket's number
--
-- Result     {'again', number, issued_s, expires_s, epoch, orders_allowed}; {'no_room'}; {'finished'}: it has run out,
--            was revoked or left
--
-- No bucket pays: the visitor was let in before. Where the cap is reached meanwhile it is passed by this one, and nobody
-- is released until it holds again.
--
-- include: clock
-- include: advance
-- include: places
-- include: admit

local function reinstate(room, now)
  local record = read_place(KEYS[6], ARGV[1])
  if not record or record.number ~= tonumber(ARGV[2]) or not record.expires or record.epoch ~= room.epoch
    or record.expires * 1000 <= now or (record.state ~= 'a' and record.state ~= 'f') then
    return {'finished'}
  elseif record.state == 'f' then
    -- Its second has a field until it is over: `active` counts it there as before.
    redis.call('HINCRBY', KEYS[4], record.expires, 1)
    room.active = room.active + 1
    room.ordered = room.ordered - 1
    record.state = 'a'
    write_place(record)
  end
  return admission_of(room, 'again', record)
end

local room = open_room()
if not room then
  return {'no_room'}
end
local answer = reinstate(room, advance(room, clock_ms()))
save(room)
return answer
