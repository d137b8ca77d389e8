-- Advances the room and reads all of it.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
--
-- Result     names and values in turn: the room's hash, then what runs, now_ms (the clock) and effective (the phase);
--            or {'no_room'}
--
-- include: clock
-- include: advance

local room = open_room()
if not room then
  return {'no_room'}
end
local now = advance(room, clock_ms())
save(room)
local answer = redis.call('HGETALL', KEYS[1])
for i = 1, #RUNNING do
  answer[#answer + 1] = RUNNING[i]
  answer[#answer + 1] = string.format('%.17g', room[RUNNING[i]])
end
answer[#answer + 1] = 'now_ms'
answer[#answer + 1] = now
answer[#answer + 1] = 'effective'
answer[#answer + 1] = room.effective
return answer
