-- Gives visitors places at the tail, or those they have; the room is read, advanced and written once for all of them.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- KEYS[5+i]  bucket of visitor i's place (hash; lives as long as the sale)
-- KEYS[#KEYS] behind those: visits (list; lives until the sale's report is a month old)
-- ARGV       six a visitor, of i from 6i-5 on: its digest, 8 bytes; first 8 bytes of the secret's hash; the customer's
--            digest, 8 bytes, or ''; what the caller knows: a number, its place, and the cohort that place was reckoned with
--            (-1: none)
--
-- Result     {'joined' | 'again', number}; {'place', number}: call again with the number's place; {'stale'}: the cohort is
--            another; {'no_room'}; {'closed' | 'over' | 'sold_out' | 'conflict' | 'full'}. Of several visitors a list of
--            these, or {'no_room'}
--
-- include: clock
-- include: advance
-- include: places
-- include: visits

local visitors = #ARGV / 6
local visits = KEYS[6 + visitors]

local function join(room, now, i)
  if room.effective == 'closed' then
    return {'closed'}
  elseif room.effective == 'over' or room.effective == 'drain' then
    return {'over'}
  elseif room.sold_out == 1 then
    return {'sold_out'}
  end
  local bucket, digest, secret, customer, number, place, cohort = KEYS[5 + i], unpack(ARGV, 6 * i - 5, 6 * i)
  local record = read_place(bucket, digest)
  local known = {number = tonumber(number), place = tonumber(place), cohort = tonumber(cohort)}
  local stands = standing(room, now, record, known)
  if stands == 'stale' then
    return {'stale'}
  elseif stands == 'place' then
    return {'place', record.number}
  elseif stands == 'live' then
    if record.secret ~= secret or record.customer ~= customer then
      return {'conflict'}
    elseif record.state == 'l' then
      record.state = 'w'
      room.left = room.left - 1
      write_place(record)
    end
    return {'again', record.number}
  elseif room.tail - room.frontier - room.gone_ahead >= room.waiting_max then
    return {'full'}
  end
  room.tail = room.tail + 1
  room.joined = room.joined + 1
  write_place({bucket = bucket, digest = digest, number = room.tail, state = 'w', secret = secret, customer = customer})
  local has_place = room.effective == 'open' and has_places(room)
  note_joining(visits, room, now, has_place and room.tail - room.frontier or 0)
  return {'joined', room.tail}
end

local room = open_room()
if not room then
  return {'no_room'}
end
local now = advance(room, clock_ms())
local answers = {}
for i = 1, visitors do
  answers[i] = join(room, now, i)
end
save(room)
return visitors == 1 and answers[1] or answers
