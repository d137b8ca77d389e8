-- Reads what runs, as it was left: for who looks back. Changes nothing, and moves no time.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua
--
-- Result     {seed, name, value, name, value ...} of what runs; or {'no_room'}
--
-- include: state

local room = open_room()
if not room then
  return {'no_room'}
end
local answer = {room.seed}
for i = 1, #RUNNING do
  answer[#answer + 1] = RUNNING[i]
  answer[#answer + 1] = string.format('%.17g', room[RUNNING[i]])
end
return answer
