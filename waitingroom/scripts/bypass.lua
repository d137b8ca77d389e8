-- Admits a visitor with an access code at once, counted inside both caps, up to the code's quota.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- KEYS[6]    bucket of the visitor's place (hash; lives as long as the sale)
-- KEYS[7]    codes (hash: code -> admissions given; lives as long as the sale)
-- KEYS[8]    visits (list; lives until the sale's report is a month old)
-- ARGV[1]    the visitor's digest, 8 bytes
-- ARGV[2]    first 8 bytes of the secret's hash
-- ARGV[3]    the customer's digest, 8 bytes, or ''
-- ARGV[4..6] what the caller knows: a number, its place, and the cohort that place was reckoned with (-1: none)
-- ARGV[7]    the code
-- ARGV[8]    its quota
--
-- Result     as of claim, and as of join: {'place', number}, {'stale'}, {'closed' | 'conflict' | 'quota'}
--
-- include: clock
-- include: advance
-- include: places
-- include: admit
-- include: visits

local function refusal(room)
  if room.effective == 'closed' or room.effective == 'lobby' then
    return {'closed'}
  elseif room.effective == 'over' or room.effective == 'drain' then
    return {'over'}
  elseif room.sold_out == 1 then
    return {'sold_out'}
  elseif not has_places(room) or room.effective == 'hold' then
    return {'wait', -1, tostring(room.pace), 0}
  end
end

-- Takes the visitor's place out of the queue, wherever it stands; a released one has paid its token already.
local function step_out(room, place)
  redis.call('SETBIT', KEYS[2], place, 1)
  if place > room.frontier then
    room.gone_ahead = room.gone_ahead + 1
    room.tokens = room.tokens - 1
  else
    room.pending = room.pending - 1
  end
end

local function bypass(room, now)
  local refused = refusal(room)
  if refused then
    return refused
  end
  local record = read_place(KEYS[6], ARGV[1])
  local known = {number = tonumber(ARGV[4]), place = tonumber(ARGV[5]), cohort = tonumber(ARGV[6])}
  local stands, place = standing(room, now, record, known)
  if stands == 'stale' then
    return {'stale'}
  elseif stands == 'place' then
    return {'place', record.number}
  elseif stands == 'live' and (record.secret ~= ARGV[2] or record.customer ~= ARGV[3]) then
    return {'conflict'}
  elseif stands == 'live' and record.state == 'a' then
    return admission_of(room, 'again', record)
  elseif tonumber(redis.call('HGET', KEYS[7], ARGV[7]) or 0) >= tonumber(ARGV[8]) then
    return {'quota'}
  elseif not may_admit(room) or room.tokens - 1 < -room.burst then
    return {'wait', 0, tostring(room.pace), put_off(room, now)}
  end
  if stands == 'free' then
    room.tail = room.tail + 1
    room.joined = room.joined + 1
    place = room.tail
    record = {bucket = KEYS[6], digest = ARGV[1], number = place, secret = ARGV[2], customer = ARGV[3]}
  end
  step_out(room, place)
  admit(room, now, record)
  note(KEYS[8], 'b', now, record.number)
  room.bypassed = room.bypassed + 1
  redis.call('HINCRBY', KEYS[7], ARGV[7], 1)
  return admission_of(room, 'admitted', record)
end

local room = open_room()
if not room then
  return {'no_room'}
end
local answer = bypass(room, advance(room, clock_ms()))
save(room)
return answer
