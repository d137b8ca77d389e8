-- What is told of visits when the sale is over: a stream with an entry for a joining, an admission, an order.
--
-- Each has one field, v, packed: what happened (1 byte: j joined, a admitted, b admitted by access code, o ordered), the
-- number (5 bytes); of a joining also the position (4 bytes, 0: not known yet), pace and rate (float, per s) and how many
-- places the pace was measured by (2 bytes), which is what the estimate was made of. The entry's id is the time.
--
-- Every visit up to EXACT is noted; of the next EXACT every second, of as many again every fourth: half as many for each
-- time that the number of visits doubles. So what is noted grows with the logarithm of the visits alone, and whoever
-- reads takes the numbers that the coarsest step has too: an even sample.

local EXACT = 32768

local function is_noted(number)
  local step, bound = 1, EXACT
  while number > bound do
    step, bound = step * 2, bound * 2
  end
  return number % step == 0
end

-- `visits` is the stream's key; nil: a simulation, which has figures of its own.
local function note(visits, what, number, told)
  if visits and is_noted(number) then
    redis.call('XADD', visits, '*', 'v', what .. struct.pack('>I5', number) .. (told or ''))
  end
end

local function estimate(room, position)
  return struct.pack('>I4ffI2', math.max(position, 0), room.pace, rate_of(room), math.min(room.pace_samples, 65535))
end
