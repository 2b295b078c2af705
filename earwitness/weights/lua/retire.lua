-- Takes back the versions that are neither among the newest, nor leased, nor what one of those applies to; returns
-- their manifests.
-- KEYS: versions, leases, bases   ARGV: newest to keep, key prefix
redis.replicate_commands()
local now, needed = tonumber(redis.call('TIME')[1]), {}
local function keep(name)
  while name and not needed[name] do
    needed[name] = true
    name = redis.call('HGET', KEYS[3], name)
  end
end
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local expiry, name = string.match(all[i + 1], '^(%d+) (.*)$')
  if tonumber(expiry) < now then redis.call('HDEL', KEYS[2], all[i]) else keep(name) end
end
for _, name in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1)) do keep(name) end
local retired = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if not needed[name] then
    local lineage, version = string.match(name, '^(.*) (%d+)$')
    local key = ARGV[2] .. lineage .. ':' .. version .. ':manifest'
    local manifest = redis.call('GET', key)
    redis.call('DEL', key)
    redis.call('ZREM', KEYS[1], name)
    redis.call('HDEL', KEYS[3], name)
    if manifest then retired[#retired + 1] = manifest end
  end
end
return retired
