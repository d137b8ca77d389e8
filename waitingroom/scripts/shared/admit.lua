-- Admitting, inside both caps, and giving a slot back.

local RETRY_LEAST_MS, RETRY_MOST_MS = 250, 2000

local function may_admit(room)
  return room.issue >= 1 and (room.max_active == 0 or room.active < room.max_active)
end

-- Notes that a claim had to be put off; returns in how many ms it should come again: when those put off before it will
-- have been served. Its place, if it has one, must not lapse before.
local function put_off(room, now, place)
  room.throttled = room.throttled + 1
  room.queued = math.min(room.queued + 1, math.max(room.pending, 1))
  room.throttled_ms = now -- a process of the version before waits with lapses so
  if place then
    keep(room, now, place)
  end
  local rate = rate_of(room)
  if rate <= 0 then
    return RETRY_MOST_MS
  end
  -- A bucket of one place keeps nothing for who comes a moment later: what a stall is owed can be given only to claims
  -- that come as fast as it is given back.
  local serves = room.burst < 2 and room.owed_issue >= 1 and rate * (1 + CATCH_UP) or rate
  return math.ceil(math.max(RETRY_LEAST_MS, math.min(RETRY_MOST_MS, room.queued / serves * 1000)))
end

-- Admits the record's visitor; the caller has asked `may_admit` and settled the place.
local function admit(room, now, record)
  record.state = 'a'
  record.issued = math.floor(now / 1000)
  record.expires = math.ceil((now + room.admission_ms) / 1000)
  record.epoch = room.epoch
  write_place(record)
  room.issue = room.issue - 1
  room.active = room.active + 1
  room.admitted = room.admitted + 1
  if redis.call('HINCRBY', KEYS[4], record.expires, 1) == 1 then
    redis.call('RPUSH', KEYS[5], record.expires)
  end
end

local function admission_of(room, kind, record)
  return {kind, record.number, record.issued, record.expires, record.epoch, room.orders_allowed}
end

-- Ends an admission; says whether it still held a slot.
local function give_back(room, record)
  local held = false
  if record.epoch == room.epoch and tonumber(redis.call('HGET', KEYS[4], record.expires) or 0) > 0 then
    redis.call('HINCRBY', KEYS[4], record.expires, -1)
    room.active = room.active - 1
    held = true
  end
  record.state = 'f'
  write_place(record)
  return held
end
