-- Reads one part of a subject, and the floor below which nothing may be shown.
-- KEYS[1] the subject's hash   ARGV[1] the part
-- Result  {server's time in ms, floor, the log position it needs, the value or false}.
local time = redis.call('TIME')
local found = redis.call('HMGET', KEYS[1], '@floor', '@lsn', ARGV[1])
return {time[1] * 1000 + math.floor(time[2] / 1000), tonumber(found[1] or 0), tonumber(found[2] or 0), found[3]}
