-- The virtual time, in place of shared/clock.lua in simulations and tests: what the room's hash says it is.

-- Returns Unix milliseconds.
local function clock_ms()
  return tonumber(redis.call('HGET', KEYS[1], 'virtual_ms'))
end
