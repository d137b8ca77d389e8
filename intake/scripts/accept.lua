-- Accepts a batch of orders of one partition: replay, conflict, refusal or append, decided per order in arrival order.
--
-- KEYS[1]    gate of the partition (hash; lives as long as the sale): phase, opens_ms, closes_ms, accepted, drained
-- KEYS[2]    stream of the partition (trimmed by the drain)
-- KEYS[2+i]  `accepted` key of order i (string, lives ARGV[1] ms): 16 bytes of fingerprint, then the entry's id
-- ARGV[1]    lifetime of `accepted` keys, ms
-- ARGV[2]    most orders accepted but not drained
-- ARGV[3]    '1': write even when nothing is appended, so that WAIT covers earlier writes of other connections too
-- ARGV[2+2i] fingerprint of order i, 16 bytes
-- ARGV[3+2i] stream entry of order i; empty: a product of it is sold out
--
-- Result     one string an order: '+' id appended, '=' id known (replay), '!' known with another body,
--            '-' sold out, '#' backlog full, '?' no gate, '<' not open yet, '>' past its end, 'h' on hold, 'x' closed
--
-- Knowing an order comes before every refusal: a retry of an accepted order always replays.

local gate = redis.call('HMGET', KEYS[1], 'phase', 'opens_ms', 'closes_ms', 'accepted', 'drained')
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)

local shut = false
if not gate[1] then
  shut = '?'
elseif gate[1] == 'hold' then
  shut = 'h'
elseif gate[1] ~= 'open' then
  shut = 'x'
elseif now_ms < tonumber(gate[2]) then
  shut = '<'
elseif gate[3] ~= '0' and now_ms >= tonumber(gate[3]) then
  shut = '>'
end

-- A store that lost its data counts from nought while the drain's count goes on: begin at the drain's.
local drained = tonumber(gate[5] or '0')
local accepted = tonumber(gate[4] or '0')
local behind = math.max(drained - accepted, 0)
local room = tonumber(ARGV[2]) - math.max(accepted - drained, 0)

-- All at once: a call costs more than what it asks for. What this batch adds is noted in `known`.
local found = #KEYS > 2 and redis.call('MGET', unpack(KEYS, 3)) or {}
local known = {}

local appended = 0
local result = {}
for i = 1, #found do
  local key, fingerprint, payload = KEYS[2 + i], ARGV[2 + 2 * i], ARGV[3 + 2 * i]
  local value = found[i] or known[key]
  if value then
    result[i] = string.sub(value, 1, 16) == fingerprint and '=' .. string.sub(value, 17) or '!'
  elseif shut then
    result[i] = shut
  elseif payload == '' then
    result[i] = '-'
  elseif appended >= room then
    result[i] = '#'
  else
    local id = redis.call('XADD', KEYS[2], '*', 'e', payload)
    known[key] = fingerprint .. id
    redis.call('SET', key, known[key], 'PX', ARGV[1])
    appended = appended + 1
    result[i] = '+' .. id
  end
end

if appended > 0 or ARGV[3] == '1' then
  redis.call('HINCRBY', KEYS[1], 'accepted', appended + behind)
end
return result
