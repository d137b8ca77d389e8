-- The time: the server's own, so that no process's clock matters.

-- Returns Unix milliseconds.
local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
