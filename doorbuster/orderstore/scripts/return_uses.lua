-- Gives the uses back that orders took of an admission and that ended without units. Again changes nothing.
--
-- KEYS[1]     `spent` key of the admission (string; see accept.lua)
-- ARGV[i]     32 hexadecimal digits of the id of such an order
--
-- Result      how many uses came back; none of an admission that its visitor has ended

local ENDED = 1000000000 -- as in end_admission.lua

local value = redis.call('GET', KEYS[1])
if not value then
  return 0
end
local placed, returned, ids = string.match(value, '^(%d+),(%d+),(%x*)$')
if not placed or tonumber(placed) >= ENDED then
  return 0
end
local left, back = {}, 0
for i = 1, #ids, 32 do
  local id, is_named = string.sub(ids, i, i + 31), false
  for j = 1, #ARGV do
    is_named = is_named or ARGV[j] == id
  end
  if is_named then
    back = back + 1
  else
    left[#left + 1] = id
  end
end
if back > 0 then
  redis.call('SET', KEYS[1], string.format('%s,%d,%s', placed, returned + back, table.concat(left)), 'KEEPTTL')
end
return back
