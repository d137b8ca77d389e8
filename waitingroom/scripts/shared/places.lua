-- The record of a visitor's place, packed: number (5 bytes), state (1), secret (8), customer (0 or 8), and once admitted
-- first and last second and epoch (0 or 12). States: w waiting, l left, a admitted, f finished. Who left in the lobby may
-- come back to the place until the shuffle.

-- Returns the record of a digest in a bucket, or nil.
local function read_place(bucket, digest)
  local packed = redis.call('HGET', bucket, digest)
  if not packed then
    return nil
  end
  local place = {bucket = bucket, digest = digest, customer = ''}
  place.number, place.state = struct.unpack('>I5c1', packed)
  place.secret = string.sub(packed, 7, 14)
  local rest = string.sub(packed, 15)
  if #rest == 8 or #rest == 20 then
    place.customer = string.sub(rest, 1, 8)
    rest = string.sub(rest, 9)
  end
  if #rest == 12 then
    place.issued, place.expires, place.epoch = struct.unpack('>I4I4I4', rest)
  end
  return place
end

local function write_place(place)
  local packed = struct.pack('>I5', place.number) .. place.state .. place.secret .. place.customer
  if place.expires then
    packed = packed .. struct.pack('>I4I4I4', place.issued, place.expires, place.epoch)
  end
  redis.call('HSET', place.bucket, place.digest, packed)
end

-- Returns how a record stands: 'live', place | 'free' (none, or it is finished) | 'place' (the caller must say which place
-- its number has) | 'stale' (the caller knows another cohort). `known` is what the caller says: number, place, cohort.
local function standing(room, now, record, known)
  if not record or record.state == 'f' then
    return 'free'
  elseif record.state == 'a' then
    return record.epoch >= room.epoch and record.expires * 1000 > now and 'live' or 'free'
  elseif not has_places(room) then
    return 'live', record.number
  elseif record.state == 'l' then
    return 'free'
  end
  local place = record.number
  if record.number <= room.cohort then
    if known.cohort ~= room.cohort then
      return 'stale'
    elseif known.number ~= record.number then
      return 'place'
    end
    place = known.place
  end
  return place > room.lapsed_to and 'live' or 'free', place
end
