-- Gives a visitor a place at the tail, or the one it has.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- KEYS[6]    bucket of the visitor's place (hash; lives as long as the sale)
-- KEYS[7]    visits (list; lives until the sale's report is a month old)
-- ARGV[1]    the visitor's digest, 8 bytes
-- ARGV[2]    first 8 bytes of the secret's hash
-- ARGV[3]    the customer's digest, 8 bytes, or ''
-- ARGV[4..6] what the caller knows: a number, its place, and the cohort that place was reckoned with (-1: none)
--
-- Result     {'joined' | 'again', number}; {'place', number}: call again with the number's place; {'stale'}: the cohort is
--            another; {'no_room'}; {'closed' | 'over' | 'sold_out' | 'conflict' | 'full'}
--
-- include: clock
-- include: advance
-- include: places
-- include: visits

local function join(room, now)
  if room.effective == 'closed' then
    return {'closed'}
  elseif room.effective == 'over' or room.effective == 'drain' then
    return {'over'}
  elseif room.sold_out == 1 then
    return {'sold_out'}
  end
  local record = read_place(KEYS[6], ARGV[1])
  local known = {number = tonumber(ARGV[4]), place = tonumber(ARGV[5]), cohort = tonumber(ARGV[6])}
  local stands = standing(room, now, record, known)
  if stands == 'stale' then
    return {'stale'}
  elseif stands == 'place' then
    return {'place', record.number}
  elseif stands == 'live' then
    if record.secret ~= ARGV[2] or record.customer ~= ARGV[3] then
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
  write_place({
    bucket = KEYS[6], digest = ARGV[1], number = room.tail, state = 'w', secret = ARGV[2], customer = ARGV[3],
  })
  local known = room.effective == 'open' and has_places(room)
  note_joining(KEYS[7], room, now, known and room.tail - room.frontier or 0)
  return {'joined', room.tail}
end

local room = open_room()
if not room then
  return {'no_room'}
end
local answer = join(room, advance(room, clock_ms()))
save(room)
return answer
