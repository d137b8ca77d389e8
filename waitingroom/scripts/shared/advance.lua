-- Brings a room to now: ends admissions, lapses places nobody claimed, and lets the frontier go on.
--
-- KEYS[2]    done (bitmap by place): claimed or left
-- KEYS[3]    releases (list of 'ms:place'; records live until past the grace)
-- KEYS[4]    active (hash: second -> admissions that end in it and are out)
-- KEYS[5]    ends (list of the seconds of `active`)
--
-- Two buckets of the same rate and burst. `tokens` pays for releasing a place: what no-shows and leavers paid comes back.
-- `issue` pays for admitting and gets nothing back: so admissions in any window of w seconds stay within burst + rate * w
-- even when many released visitors come at once. Bounded work a call, whatever the number of visitors.
--
-- A burst of less than a second's rate overflows whenever nobody calls for so long, and a busy machine would make a slow
-- room slower for good. What such a stall spills while people wait (theirs, too) is owed (`owed_tokens`, `owed_issue`): a second's rate
-- less the burst at most, given back as fast as the rate. So in any window of w seconds at most
-- burst + rate * w + min(rate * 1 s - burst, rate * w) are admitted, and never more than burst + rate * time since a moment
-- at which the room owed nothing (docs/adr/0032).
--
-- include: state

local SLICE_MS = 250      -- one release record for what happens within
local RECORDS_MAX = 16    -- release records lapsed a call
local ENDS_MAX = 64       -- seconds of ended admissions a call
local ROUNDS_MAX = 8      -- passes over places that are done already
local OUTAGE_MS = 5000    -- nobody ticked for so long: visitors could not claim either, their grace begins anew
local PATIENCE_MS = 2500  -- how long a place whose claim was put off is kept: it comes again within
local QUEUE_S = 1         -- the frontier slows when more claims were put off than are served in so long, than the burst
local QUEUE_LEAST = 5     -- and than this: of a room this slow a few claims that meet tell nothing
local PACE_TAU_MS = 10000 -- memory of the measured pace, at least
local PACE_PLACES = 20    -- and as long as so many places take: a slow room's pace must not jump with each of them
local PACE_STEP_MS = 250
local OWED_S = 1          -- a room never has more to spend, saved up and owed, than it earns in so long, or its burst
local CATCH_UP = 1        -- of the rate: how fast what is owed is given back

local function effective_phase(room, now)
  if room.phase == 'closed' or (room.closes_ms > 0 and now >= room.closes_ms) then
    return 'over'
  elseif room.phase == 'drain' then
    return 'drain'
  elseif now < room.opens_ms and not (room.lobby_opens_ms > 0 and now >= room.lobby_opens_ms) then
    return 'closed'
  elseif room.phase == 'hold' then
    return 'hold'
  end
  return now < room.opens_ms and 'lobby' or 'open'
end

-- Says whether numbers have places: after the shuffle, or after the start of a sale without lobby.
local function has_places(room)
  return room.cohort_fixed == 1 and (room.lobby_opens_ms == 0 or room.seed ~= '')
end

local function rate_of(room)
  local rate = room.rate_per_s
  if room.has_rate_now == 1 then
    rate = math.min(rate, room.rate_now)
  end
  return rate
end

local function done_between(from, upto)
  if from > upto then
    return 0
  end
  return redis.call('BITCOUNT', KEYS[2], from, upto, 'BIT')
end

-- Visitor-seconds, for the mean times by Little's law.
local function account(room, ms)
  room.waiting_s = room.waiting_s + (room.tail - room.frontier - room.gone_ahead) * ms / 1000
  room.pending_s = room.pending_s + room.pending * ms / 1000
  room.active_s = room.active_s + room.active * ms / 1000
end

local function end_admissions(room, now)
  for _ = 1, ENDS_MAX do
    local second = redis.call('LINDEX', KEYS[5], 0)
    if not second or tonumber(second) * 1000 > now then
      return
    end
    redis.call('LPOP', KEYS[5])
    local count = tonumber(redis.call('HGET', KEYS[4], second) or 0)
    redis.call('HDEL', KEYS[4], second)
    room.active = room.active - count
    room.expired = room.expired + count
  end
end

-- Fixes the cohort: who is there now is shuffled, who comes later stands behind. The bucket begins full, unless the room
-- was made after the start: then it may replace one whose store was lost with its bucket spent.
local function begin(room)
  room.cohort_fixed = 1
  room.cohort = room.lobby_opens_ms > 0 and room.tail or 0
  room.tokens = room.fresh == 1 and room.burst or 0
  room.issue = room.tokens
  room.pace = rate_of(room)
end

-- Keeps a place whose claim was put off from lapsing until it has had time to come again: the least one of this while,
-- and of the one before.
local function keep(room, now, place)
  local age = now - room.kept_ms
  if age < PATIENCE_MS then
    room.kept_place = math.min(room.kept_place, place)
  else
    room.kept_before = age < 2 * PATIENCE_MS and room.kept_place or math.huge
    room.kept_ms, room.kept_place = now, place
  end
end

-- Returns the first place that must not lapse.
local function first_kept(room, now)
  local age = now - room.kept_ms
  if age < PATIENCE_MS then
    return math.min(room.kept_place, room.kept_before)
  end
  return age < 2 * PATIENCE_MS and room.kept_place or math.huge
end

-- Returns a bucket's level and what it is owed after it earned for a time; `spilt`: what does not fit is owed.
local function fill(room, level, owed, earned, spilt)
  local full = level + earned
  if full > room.burst then
    return room.burst, spilt and owed + full - room.burst or owed
  end
  local back = math.min(owed, earned * CATCH_UP, room.burst - full)
  return full + back, owed - back
end

local function earn(room, now, ms)
  local rate = rate_of(room)
  local earned = rate * ms / 1000
  local most = math.max(0, rate * OWED_S - room.burst)
  -- Nobody called for so long, or who was put off and told to come by now is late.
  local stalled = earned > room.burst and (room.saturated == 1 or room.pending > 0) or room.queued > earned
  local owed
  room.issue, owed = fill(room, room.issue, room.owed_issue, earned, stalled)
  room.owed_issue = math.min(owed, most)
  -- More claims were put off than `issue` will soon have paid for: more places would only add to them. Claims that meet
  -- now and then are no such thing, or a short burst would never use its rate.
  local paid = room.queued > math.max(room.burst, rate * QUEUE_S, QUEUE_LEAST) and earned / 2 or earned
  room.queued = math.max(0, room.queued - earned)
  room.tokens, owed = fill(room, room.tokens, room.owed_tokens, paid, stalled)
  room.owed_tokens = math.min(owed, most)
end

local function lapse(room, now)
  local kept = first_kept(room, now)
  for _ = 1, RECORDS_MAX do
    local head = redis.call('LINDEX', KEYS[3], 0)
    if not head then
      return
    end
    local ms, upto = string.match(head, '^(%d+):(%d+)$')
    if math.max(tonumber(ms) + SLICE_MS, room.grace_from_ms) + room.grace_ms > now then
      return
    end
    upto = tonumber(upto)
    if upto >= kept then
      return
    end
    redis.call('LPOP', KEYS[3])
    local absent = upto - room.lapsed_to - done_between(room.lapsed_to + 1, upto)
    room.lapsed_to = upto
    room.lapsed = room.lapsed + absent
    room.pending = room.pending - absent
    room.tokens = room.tokens + absent -- over the burst, too: to be spent at once, or cut when more is earned
  end
end

local function record(room, now)
  local last = redis.call('LINDEX', KEYS[3], -1)
  local ms = last and tonumber(string.match(last, '^%d+'))
  if ms and now - ms < SLICE_MS then
    redis.call('LSET', KEYS[3], -1, string.format('%d:%d', ms, room.frontier))
  else
    redis.call('RPUSH', KEYS[3], string.format('%d:%d', now, room.frontier))
  end
end

-- Returns how far the frontier went.
local function release(room, now)
  local began = room.frontier
  for _ = 1, ROUNDS_MAX do
    local count = math.min(math.floor(room.tokens), room.tail - room.frontier)
    if room.max_active > 0 then
      count = math.min(count, room.max_active - room.active - room.pending)
    end
    if count <= 0 then
      break
    end
    local done = done_between(room.frontier + 1, room.frontier + count)
    room.frontier = room.frontier + count
    room.gone_ahead = room.gone_ahead - done
    room.tokens = room.tokens - (count - done)
    room.pending = room.pending + (count - done)
  end
  if room.frontier > began then
    record(room, now)
  end
  return room.frontier - began
end

-- Measures how fast the frontier goes while people wait; what the bank of an idle bucket lets in at once is left out.
local function measure(room, now, moved)
  if room.saturated == 0 then
    room.pace_ms, room.pace_moved = now, 0
  else
    room.pace_moved = room.pace_moved + moved
    local ms = now - room.pace_ms
    if ms >= PACE_STEP_MS then
      local seen = room.pace_moved * 1000 / ms
      local rate = rate_of(room)
      local tau = math.max(PACE_TAU_MS, rate > 0 and PACE_PLACES * 1000 / rate or 0)
      local kept = math.exp(-ms / tau)
      room.pace = room.pace + (1 - kept) * (seen - room.pace)
      room.pace_samples = room.pace_samples * kept + room.pace_moved
      room.pace_ms, room.pace_moved = now, 0
    end
  end
  room.saturated = room.frontier < room.tail and 1 or 0
end

-- Returns now, never less than the last now: a clock that goes back adds nothing. After a jump back that is too far to
-- wait for, time begins anew from there with empty buckets, so that a clock going to and fro earns nothing either.
local function settle_clock(room, clock)
  if clock >= room.last_ms - OUTAGE_MS then
    return math.max(clock, room.last_ms)
  end
  room.tokens, room.issue = math.min(room.tokens, 0), 0
  room.owed_tokens, room.owed_issue = 0, 0
  room.last_ms = clock
  room.pace_ms = math.min(room.pace_ms, clock)
  room.throttled_ms, room.kept_ms = math.min(room.throttled_ms, clock), math.min(room.kept_ms, clock)
  room.grace_from_ms = clock
  return clock
end

-- Takes over the terms that the sale's plan names next: written as `configure` would have written them. `changes` is a
-- list of a moment, Unix milliseconds, and the fields that change then; `next_ms` the first moment that is to come.
local function take_over(room)
  local at = room.next_ms
  room.next_ms = 0
  for _, change in ipairs(cjson.decode(redis.call('HGET', KEYS[1], 'changes'))) do
    local ms = tonumber(change[1])
    if ms == at then
      for name, value in pairs(change[2]) do
        room[name] = name == 'phase' and value or tonumber(value)
        redis.call('HSET', KEYS[1], name, value)
      end
    elseif ms > at then
      room.next_ms = ms
      break
    end
  end
  redis.call('HSET', KEYS[1], 'config', pack_from(room, CONFIG, CONFIG_FORMAT))
end

-- Goes on to a moment by the terms that held until then, and takes over those of the plan. Nobody is released there: it
-- may be long ago.
local function turn(room, at)
  if room.running == 1 and room.last_ms > 0 then
    account(room, at - room.last_ms)
    earn(room, at, at - room.last_ms)
  end
  take_over(room)
  local runs = effective_phase(room, at) == 'open' and room.sold_out == 0 and has_places(room)
  if runs and room.running == 0 then
    room.grace_from_ms = at
  end
  room.running = runs and 1 or 0
  room.last_ms = at
end

-- Advances the room and returns now.
local function advance(room, clock)
  local now = settle_clock(room, clock)
  local since = room.last_ms
  while room.next_ms > 0 and room.next_ms <= now do
    turn(room, math.max(room.next_ms, room.last_ms))
  end
  local ms = room.last_ms > 0 and now - room.last_ms or 0
  room.effective = effective_phase(room, now)
  if room.running == 1 then
    account(room, ms)
    earn(room, now, ms)
  end
  end_admissions(room, now)
  local is_open = room.effective == 'open'
  if is_open and room.cohort_fixed == 0 then
    begin(room)
  end
  local runs = is_open and room.sold_out == 0 and has_places(room)
  if runs then
    if room.running == 0 or now - since > OUTAGE_MS then
      room.grace_from_ms = now
    end
    lapse(room, now)
    measure(room, now, rate_of(room) > 0 and release(room, now) or 0)
  else
    room.saturated = 0
    room.owed_tokens, room.owed_issue = 0, 0
  end
  room.running = runs and 1 or 0
  room.last_ms = now
  return now
end
