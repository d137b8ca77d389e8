-- Tells a partition what its drain has committed in Postgres, and lets go what is done; if the gate still says what the
-- drain knows it to say, and the last entry drained is there. A server that took over without the last writes says
-- something older, or has another entry, or none, there. Nothing is done then: entries may lie below the cursor that
-- nobody has drained.
--
-- KEYS[1]  gate of the partition (hash; lives as long as the sale): drained, told, drained_bytes, bytes_at, accepted
-- KEYS[2]  stream of the partition (trimmed here)
-- ARGV[1]  what `drained` says, as the drain knows it; empty: nothing
-- ARGV[2]  what `told` says: that count, a blank, and the id up to which it counts; empty: nothing
-- ARGV[3]  entries below this id may go; empty: none may
-- ARGV[4]  entries worked off in all
-- ARGV[5]  the id up to which they are
-- ARGV[6]  their bytes; empty: whoever wrote them did not count
-- ARGV[7]  how many of them were accepted by a server whose end was lost, and are missing in `accepted`; mostly 0
-- ARGV[8]  the last id that such a server gave, as far as is known: new entries get later ones, unless it is more than
--          ARGV[9] ms ahead of this server's clock; empty: none
-- ARGV[10] the entry at ARGV[5]; empty: a drain begins and does not know it. Then nothing goes if it is not there
--
-- Result   1 told, 0 the history is another and nothing was done

local said = redis.call('HMGET', KEYS[1], 'drained', 'told')
if (said[1] or '') ~= ARGV[1] or (said[2] or '') ~= ARGV[2] then
  return 0
end

local function place(id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

local function is_before(one, other)
  local ms, sequence = place(one)
  local other_ms, other_sequence = place(other)
  return ms < other_ms or (ms == other_ms and sequence < other_sequence)
end

-- What lies behind the place that was told is in the stream still.
local count, known_to = string.match(ARGV[2], '^(%d+) (.+)$')
local trim_below = ARGV[3]
if count and count == ARGV[1] and is_before(known_to, ARGV[5]) then
  local found = redis.call('XRANGE', KEYS[2], ARGV[5], ARGV[5])[1]
  if not found and ARGV[10] == '' then
    trim_below = ''
  elseif ARGV[10] ~= '' and (not found or (found[2][1] == 'e' and found[2][2] ~= ARGV[10])) then
    return 0
  end
end
if trim_below ~= '' then
  redis.call('XTRIM', KEYS[2], 'MINID', trim_below)
end
redis.call('HSET', KEYS[1], 'drained', ARGV[4], 'told', ARGV[4] .. ' ' .. ARGV[5])
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], 'drained_bytes', ARGV[6], 'bytes_at', ARGV[4])
end
if ARGV[7] ~= '0' then
  redis.call('HINCRBY', KEYS[1], 'accepted', ARGV[7])
end

if ARGV[8] ~= '' then
  local clock = redis.call('TIME')
  if place(ARGV[8]) - (clock[1] * 1000 + math.floor(clock[2] / 1000)) <= tonumber(ARGV[9]) then
    if redis.call('EXISTS', KEYS[2]) == 0 then
      redis.call('XADD', KEYS[2], ARGV[8], 'e', '')
      redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)
    else
      local info = redis.call('XINFO', 'STREAM', KEYS[2])
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' and is_before(info[i + 1], ARGV[8]) then
          redis.call('XSETID', KEYS[2], ARGV[8])
        end
      end
    end
  end
end
return 1
