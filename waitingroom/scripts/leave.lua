-- Gives a visitor's place or slot back.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- KEYS[6]    bucket of the visitor's place (hash; lives as long as the sale)
-- ARGV[1]    the visitor's digest, 8 bytes
-- ARGV[2]    the ticket's number
-- ARGV[3..4] its place, and the cohort that was reckoned with (-1: none)
-- ARGV[5]    epoch of its admission, which the caller has ended in the order store; 0 or nothing: it has ended none
--
-- Result     {'left', 'place' | 'slot' | 'none'}: what was given back; {'stale'}; {'no_room'}; {'unknown'};
--            {'holding', number, issued_s, expires_s, epoch, orders_allowed}: its admission is to be ended first, nothing
--            was given back
--
-- In the lobby numbers have no places yet: the record is marked, joining again takes the mark off, and the place, if it
-- comes to that, lapses like a no-show's.
--
-- include: clock
-- include: advance
-- include: places
-- include: admit

local function leave_for_good(record)
  record.state = 'l'
  write_place(record)
end

local function leave_place(room, record, place)
  local held = place > room.lapsed_to
  if held then
    redis.call('SETBIT', KEYS[2], place, 1)
    room.left = room.left + 1
    if place > room.frontier then
      room.gone_ahead = room.gone_ahead + 1
    else
      room.pending = room.pending - 1
      room.tokens = math.min(room.burst, room.tokens + 1)
    end
  end
  leave_for_good(record)
  return {'left', held and 'place' or 'none'}
end

local function leave(room)
  local record = read_place(KEYS[6], ARGV[1])
  if not record or record.number ~= tonumber(ARGV[2]) then
    return {'unknown'}
  elseif record.expires and record.epoch ~= tonumber(ARGV[5] or '0') then
    return admission_of(room, 'holding', record)
  elseif record.state == 'a' then
    local held = give_back(room, record)
    room.left = room.left + (held and 1 or 0)
    leave_for_good(record)
    return {'left', held and 'slot' or 'none'}
  elseif record.state ~= 'w' then
    return {'left', 'none'}
  elseif not has_places(room) then
    record.state = 'l'
    room.left = room.left + 1
    write_place(record)
    return {'left', 'place'}
  elseif record.number <= room.cohort and tonumber(ARGV[4]) ~= room.cohort then
    return {'stale'}
  end
  return leave_place(room, record, tonumber(ARGV[3]))
end

local room = open_room()
if not room then
  return {'no_room'}
end
advance(room, clock_ms())
local answer = leave(room)
save(room)
return answer
