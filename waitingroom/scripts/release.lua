-- Gives back the slots of admissions whose orders are placed. Again changes nothing.
--
-- KEYS[1..5] room, done, releases, active, ends: see shared/state.lua and shared/advance.lua
-- KEYS[5+i]  bucket of the place of visitor i
-- KEYS[#KEYS] behind those: visits (list; lives until the sale's report is a month old)
-- ARGV[3i-2] digest of visitor i, 8 bytes
-- ARGV[3i-1] number of its admission
-- ARGV[3i]   epoch of its admission
--
-- Result     how many slots were still held; or {'no_room'}
--
-- include: clock
-- include: advance
-- include: places
-- include: admit
-- include: visits

local room = open_room()
if not room then
  return {'no_room'}
end
local now = advance(room, clock_ms())
local held = 0
local visitors = #ARGV / 3
for i = 1, visitors do
  local record = read_place(KEYS[5 + i], ARGV[3 * i - 2])
  local number, epoch = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  if record and record.state == 'a' and record.number == number and record.epoch == epoch and give_back(room, record) then
    held = held + 1
    note(KEYS[6 + visitors], 'o', now, number)
  end
end
room.ordered = room.ordered + held
save(room)
return held
