-- Revoking a wave: a later epoch ends every admission of the earlier ones and takes its slots back.

local function revoke(room, epoch)
  if epoch > room.epoch then
    room.epoch = epoch
    room.active = 0
    redis.call('DEL', KEYS[4], KEYS[5])
  end
end
