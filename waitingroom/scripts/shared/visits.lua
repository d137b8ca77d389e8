-- What is told of visits when the sale is over: a list with an entry for a joining, an admission, an order.
--
-- An entry is packed, big-endian: what happened (1 byte: j joined, a admitted, b admitted by access code, o ordered), the
-- number (4 bytes), the time (5 bytes: the low ones of Unix milliseconds); of a joining also the position (4 bytes, 0: not
-- known yet). What its estimate was made of beside, pace and rate (float, per s) and how many places the pace was measured
-- by (2 bytes), stands in an entry p of its own before the first that it holds for: many join between two changes of it.
--
-- Every visit up to EXACT is noted; of the next EXACT every second, of as many again every fourth: half as many for each
-- time that the number of visits doubles. So what is noted grows with the logarithm of the visits alone, and whoever
-- reads takes the numbers that the coarsest step has too: an even sample.

local EXACT = 32768
local TIMES = 2 ^ 40

local function is_noted(number)
  local step, bound = 1, EXACT
  while number > bound do
    step, bound = step * 2, bound * 2
  end
  return number % step == 0
end

local function entry(what, now, number)
  return what .. struct.pack('>I4I5', number, now % TIMES)
end

-- `visits` is the list's key; nil: a simulation, which has figures of its own.
local function note(visits, what, now, number)
  if visits and is_noted(number) then
    redis.call('RPUSH', visits, entry(what, now, number))
  end
end

local function note_joining(visits, room, now, position)
  local number = room.tail
  if not visits or not is_noted(number) then
    return
  end
  local joining = entry('j', now, number) .. struct.pack('>I4', math.max(position, 0))
  local rate, samples = rate_of(room), math.floor(math.min(room.pace_samples, 65535))
  if room.pace == room.told_pace and rate == room.told_rate and samples == room.told_samples then
    redis.call('RPUSH', visits, joining)
  else
    room.told_pace, room.told_rate, room.told_samples = room.pace, rate, samples
    redis.call('RPUSH', visits, 'p' .. struct.pack('>ffI2', room.pace, rate, samples), joining)
  end
end
