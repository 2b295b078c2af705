-- KEYS: streams. Milliseconds that the oldest entry of each has been there; 0 if it is empty. An entry's id begins with
-- its time, and its payload, which may be megabytes, stays here.
local now = redis.call('TIME')
local ages = {}
for i, stream in ipairs(KEYS) do
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  ages[i] = first and now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(string.match(first[1], '^%d+')) or 0
end
return ages
