-- The room's hash as a table. What every call reads and writes is packed into two fields, big-endian doubles in the order
-- below: reading and writing forty fields one by one would cost more than all the rest. What is missing at the end is 0,
-- so that a later version may append.
--
-- KEYS[1]    room (hash; lives as long as the sale)

local CONFIG = {
  'opens_ms', 'lobby_opens_ms', 'closes_ms', 'rate_per_s', 'burst', 'max_active', 'grace_ms', 'admission_ms',
  'orders_allowed', 'waiting_max', 'next_ms',
}
local RUNNING = {
  'epoch', 'tail', 'frontier', 'lapsed_to', 'tokens', 'issue', 'last_ms', 'active', 'pending', 'gone_ahead',
  'cohort_fixed', 'cohort', 'has_rate_now', 'rate_now', 'pace', 'pace_moved', 'pace_ms', 'saturated', 'running',
  'grace_from_ms', 'throttled_ms', 'fresh', 'sold_out', 'joined', 'admitted', 'bypassed', 'lapsed', 'left', 'ordered',
  'expired', 'throttled', 'waiting_s', 'pending_s', 'active_s', 'pace_samples', 'owed_tokens', 'owed_issue',
  'told_pace', 'told_rate', 'told_samples', 'queued', 'kept_ms', 'kept_place', 'kept_before',
}
local CONFIG_FORMAT = '>' .. string.rep('d', #CONFIG)
local RUNNING_FORMAT = '>' .. string.rep('d', #RUNNING)

local function unpack_into(room, names, format, packed)
  local values = {struct.unpack(format, packed .. string.rep('\0', 8 * #names - #packed))}
  for i = 1, #names do
    room[names[i]] = values[i]
  end
end

local function pack_from(room, names, format)
  local values = {}
  for i = 1, #names do
    values[i] = tonumber(room[names[i]] or 0)
  end
  return struct.pack(format, unpack(values))
end

-- Returns the room as a table, or nil if there is none.
local function open_room()
  local values = redis.call('HMGET', KEYS[1], 'config', 'running', 'phase', 'seed')
  if not values[1] then
    return nil
  end
  local room = {phase = values[3], seed = values[4] or ''}
  unpack_into(room, CONFIG, CONFIG_FORMAT, values[1])
  unpack_into(room, RUNNING, RUNNING_FORMAT, values[2] or '')
  return room
end

-- Writes back what runs.
local function save(room)
  redis.call('HSET', KEYS[1], 'running', pack_from(room, RUNNING, RUNNING_FORMAT))
end
