-- Accepts a batch of orders of one partition: replay, conflict, refusal or append, decided per order in arrival order.
--
-- KEYS[1]     gate of the partition (hash; lives as long as the sale): phase, opens_ms, closes_ms, accepted, drained,
--             epoch, full (orders refused for the backlog), accepted_bytes, drained_bytes, bytes_at,
--             changes (of the phase by the sale's plan, in time order: 'ms:phase,ms:phase'; there if there are any)
-- KEYS[2]     stream of the partition (trimmed by the drain)
-- KEYS[2+i]   `accepted` key of order i of n (string, lives ARGV[1] ms): 16 bytes of fingerprint, then the entry's id
-- KEYS[2+n+j] `spent` key of the j-th order that comes with an admission (string): orders placed with it, uses of it that
--             came back, and ids of the last orders, 32 hexadecimal digits each: 'placed,returned,ids'
-- ARGV[1]     lifetime of `accepted` keys, ms
-- ARGV[2]     most orders accepted but not drained
-- ARGV[3]     most bytes of their entries
-- ARGV[4]     '1': write even when nothing is appended, so that WAIT covers earlier writes of other connections too
-- ARGV[5]     n, the number of orders
-- ARGV[3+3i]  fingerprint of order i, 16 bytes
-- ARGV[4+3i]  stream entry of order i; empty: a product of it is sold out
-- ARGV[5+3i]  its admission: epoch (4 bytes), orders allowed (2), least lifetime of `spent` in ms (8), its end in
--             Unix ms (8), big-endian; empty: none
--
-- Result      one string an order: '+' id appended, '=' id known (replay), '!' known with another body,
--             '-' sold out, '#' backlog full, '?' no gate, '<' not open yet, '>' past its end, 'h' on hold, 'x' closed,
--             's' admission spent, 'r' admission revoked, 'e' admission run out
--
-- Knowing an order comes before every refusal: a retry of an accepted order always replays, and never spends twice.

local gate = redis.call('HMGET', KEYS[1], 'phase', 'opens_ms', 'closes_ms', 'accepted', 'drained', 'epoch',
  'accepted_bytes', 'drained_bytes', 'bytes_at', 'changes')
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- The phase is the plan's, from each moment on that it names, by this clock: nobody has to be there to change it. The
-- plan takes back neither a close nor a drain.
local phase = gate[1]
if gate[10] then
  for at_ms, named in string.gmatch(gate[10], '(%d+):(%a+)') do
    if tonumber(at_ms) > now_ms then
      break
    end
    if phase ~= 'closed' and (phase ~= 'drain' or named == 'closed') then
      phase = named
    end
  end
end

local shut = false
if not phase then
  shut = '?'
elseif phase == 'hold' then
  shut = 'h'
elseif phase ~= 'open' then
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

-- Each entry says how many bytes there were up to its end, ever; the drain tells the number of the last one worked off,
-- and at which count of entries that was. At another count a drain goes on that tells none: then bytes are not bounded.
local drained_bytes = tonumber(gate[8] or '0')
local total = math.max(tonumber(gate[7] or '0'), drained_bytes)
local room_bytes = tonumber(ARGV[3])
if (gate[9] or '0') == (gate[5] or '0') then
  room_bytes = room_bytes - (total - drained_bytes)
end

-- All at once: a call costs more than what it asks for. `known` has what was found and what this batch adds.
local orders = tonumber(ARGV[5])
local found = orders > 0 and redis.call('MGET', unpack(KEYS, 3, 2 + orders)) or {}
local known = {}

local IDS_MAX = 32 * 32 -- digits of the ids that are kept: uses of earlier orders do not come back

-- How often admissions are spent, by key.
local counted = #KEYS > 2 + orders and redis.call('MGET', unpack(KEYS, 3 + orders)) or {}
local spent = {}
for j = 1, #KEYS - 2 - orders do
  local placed, returned, ids = string.match(counted[j] or '0', '^(%d+),?(%d*),?(%x*)$')
  spent[KEYS[2 + orders + j]] = {placed = tonumber(placed), returned = tonumber(returned) or 0, ids = ids}
end
local epoch = tonumber(gate[6] or '0')

local call = redis.call
local appended, bytes, full = 0, 0, 0
local news = {} -- key and value of each new order, one after the other
local uses_of, used, longest_ms = {}, 0, 0 -- the same of the admissions that were used; how long the last of them lives

local function append(key, fingerprint, payload)
  bytes = bytes + #payload
  local id = call('XADD', KEYS[2], '*', 'e', payload, 'b', total + bytes)
  local value = fingerprint .. id
  known[key] = value
  news[2 * appended + 1], news[2 * appended + 2] = key, value
  appended = appended + 1
  return '+' .. id
end

local function use(spend, uses, key, ttl_ms)
  uses.placed = uses.placed + 1
  uses.ids = string.sub(uses.ids .. string.sub(key, -32), -IDS_MAX)
  if not uses.at then
    used = used + 1
    uses.at = 2 * used
    uses_of[uses.at - 1] = spend
  end
  uses_of[uses.at] = string.format('%d,%d,%s', uses.placed, uses.returned, uses.ids)
  longest_ms = math.max(longest_ms, ttl_ms)
end

-- By one command, which a server before Valkey 9.1 or Redis 8.4 does not have. At a time, for a server that is started
-- anew or has this from another must not begin to count anew.
local function keep(pairs, count, lives_ms)
  if count == 0 then
    return
  end
  local ends_ms = string.format('%d', now_ms + lives_ms)
  pairs[2 * count + 1], pairs[2 * count + 2] = 'PXAT', ends_ms
  local said = redis.pcall('MSETEX', count, unpack(pairs, 1, 2 * count + 2))
  if type(said) == 'table' and said.err then
    for at = 1, 2 * count, 2 do
      call('SET', pairs[at], pairs[at + 1], 'PXAT', ends_ms)
    end
  end
end

local function verdict(key, fingerprint, payload, admission, spend)
  local value = known[key]
  if value then
    return string.sub(value, 1, 16) == fingerprint and '=' .. string.sub(value, 17) or '!'
  end
  if shut then
    return shut
  end
  if payload == '' then
    return '-'
  end
  local signed_epoch, allowed, ttl_ms, ends_ms
  if spend then
    signed_epoch, allowed, ttl_ms, ends_ms = struct.unpack('>I4I2I8I8', admission)
    if now_ms >= ends_ms then
      return 'e'
    end
  end
  if appended >= room or bytes + #payload > room_bytes then
    full = full + 1
    return '#'
  end
  if not spend then
    return append(key, fingerprint, payload)
  end
  if signed_epoch < epoch then
    return 'r'
  end
  local uses = spent[spend]
  if uses.placed - uses.returned >= allowed then
    return 's'
  end
  use(spend, uses, key, ttl_ms)
  return append(key, fingerprint, payload)
end

local result, spends = {}, 2 + orders
for i = 1, orders do
  local key, admission, spend = KEYS[2 + i], ARGV[5 + 3 * i], nil
  if admission ~= '' then
    spends = spends + 1
    spend = KEYS[spends]
  end
  known[key] = known[key] or found[i]
  result[i] = verdict(key, ARGV[3 + 3 * i], ARGV[4 + 3 * i], admission, spend)
end

keep(news, appended, tonumber(ARGV[1]))
keep(uses_of, used, longest_ms)
if appended > 0 or ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'accepted', accepted + behind + appended, 'accepted_bytes', total + bytes)
end
if full > 0 then
  redis.call('HINCRBY', KEYS[1], 'full', full)
end
return result
