-- The room's hash as a table, written back by what changed.
--
-- KEYS[1]    room (hash; lives as long as the sale)

local NUMBERS = {
  'opens_ms', 'lobby_opens_ms', 'closes_ms', 'rate_per_s', 'burst', 'max_active', 'grace_ms', 'admission_ms',
  'orders_allowed', 'epoch', 'waiting_max', 'tail', 'frontier', 'lapsed_to', 'tokens', 'issue', 'last_ms', 'active',
  'pending', 'gone_ahead', 'pace', 'pace_moved', 'pace_ms', 'saturated', 'running', 'grace_from_ms', 'throttled_ms',
  'fresh', 'sold_out', 'joined', 'admitted', 'bypassed', 'lapsed', 'left', 'ordered', 'expired', 'throttled',
  'waiting_s', 'pending_s', 'active_s',
}
local TEXTS = {'phase', 'cohort', 'rate_now', 'seed'}

local stored = {}

-- Returns the room as a table, or nil if there is none. Numbers without a value are 0, texts ''.
local function open_room()
  local values = redis.call('HMGET', KEYS[1], 'phase', 'cohort', 'rate_now', 'seed', unpack(NUMBERS))
  if not values[1] then
    return nil
  end
  local room = {}
  for i, name in ipairs(TEXTS) do
    stored[name] = values[i] or ''
    room[name] = stored[name]
  end
  for i, name in ipairs(NUMBERS) do
    stored[name] = tonumber(values[#TEXTS + i] or 0)
    room[name] = stored[name]
  end
  return room
end

-- Writes back what changed.
local function save(room)
  local changed = {}
  for name, before in pairs(stored) do
    if room[name] ~= before then
      changed[#changed + 1] = name
      changed[#changed + 1] = room[name]
    end
  end
  if #changed > 0 then
    redis.call('HSET', KEYS[1], unpack(changed))
  end
end
