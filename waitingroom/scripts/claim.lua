-- Admits visitors of tickets whose places the frontier has reached, while both caps allow; the room is read, advanced and
-- written once for all of them.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- KEYS[5+i]  bucket of visitor i's place (hash; lives as long as the sale)
-- KEYS[#KEYS] behind those: visits (list; lives until the sale's report is a month old)
-- ARGV       four a visitor, of i from 4i-3 on: its digest, 8 bytes; the ticket's number; its place, and the cohort that was
--            reckoned with (-1: none)
--
-- Result     {'admitted' | 'again', number, issued_s, expires_s, epoch, orders_allowed};
--            {'wait', position (0: released, -1: not known), pace per s, retry in ms (0: by the poll policy)};
--            {'stale'}; {'no_room'}; {'unknown' | 'revoked' | 'finished' | 'left' | 'lapsed' | 'over' | 'sold_out'}.
--            Of several visitors a list of these, or {'no_room'}
--
-- include: clock
-- include: advance
-- include: places
-- include: admit
-- include: visits

local visitors = #ARGV / 4
local visits = KEYS[6 + visitors]

local function wait(room, position, retry_ms)
  return {'wait', position, tostring(room.pace), retry_ms}
end

-- Returns an answer for a record that is no longer waiting, or nil. What nobody can buy any more comes first: an admission
-- to it is not given again either.
local function past(room, now, record, number)
  if not record or record.number ~= tonumber(number) then
    return {'unknown'}
  elseif room.effective == 'over' or room.effective == 'drain' then
    return {'over'}
  elseif room.sold_out == 1 then
    return {'sold_out'}
  elseif record.state == 'a' then
    if record.epoch < room.epoch then
      return {'revoked'}
    elseif record.expires * 1000 <= now then
      return {'finished'}
    end
    return admission_of(room, 'again', record)
  elseif record.state == 'f' then
    return {'finished'}
  elseif record.state == 'l' then
    return {'left'}
  end
end

local function claim(room, now, i)
  local digest, number, place, cohort = unpack(ARGV, 4 * i - 3, 4 * i)
  local record = read_place(KEYS[5 + i], digest)
  local answer = past(room, now, record, number)
  if answer then
    return answer
  elseif not has_places(room) then
    return wait(room, -1, 0)
  elseif record.number <= room.cohort and tonumber(cohort) ~= room.cohort then
    return {'stale'}
  end
  place = tonumber(place)
  if place > room.frontier then
    return wait(room, place - room.frontier, 0)
  elseif place <= room.lapsed_to then
    return {'lapsed'}
  elseif room.effective ~= 'open' then
    return wait(room, 0, 0)
  elseif not may_admit(room) then
    return wait(room, 0, put_off(room, now, place))
  end
  redis.call('SETBIT', KEYS[2], place, 1)
  room.pending = room.pending - 1
  admit(room, now, record)
  note(visits, 'a', now, record.number)
  return admission_of(room, 'admitted', record)
end

local room = open_room()
if not room then
  return {'no_room'}
end
local now = advance(room, clock_ms())
local answers = {}
for i = 1, visitors do
  answers[i] = claim(room, now, i)
end
save(room)
return visitors == 1 and answers[1] or answers
