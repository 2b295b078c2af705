-- Takes back the versions that are neither among the newest nor leased; returns their manifests.
-- KEYS: versions, leases   ARGV: newest to keep, key prefix
redis.replicate_commands()
local now, leased = tonumber(redis.call('TIME')[1]), {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local expiry, name = string.match(all[i + 1], '^(%d+) (.*)$')
  if tonumber(expiry) < now then redis.call('HDEL', KEYS[2], all[i]) else leased[name] = true end
end
local retired = {}
for _, name in ipairs(redis.call('ZREVRANGE', KEYS[1], ARGV[1], -1)) do
  if not leased[name] then
    local lineage, version = string.match(name, '^(.*) (%d+)$')
    local key = ARGV[2] .. lineage .. ':' .. version .. ':manifest'
    local manifest = redis.call('GET', key)
    redis.call('DEL', key)
    redis.call('ZREM', KEYS[1], name)
    if manifest then retired[#retired + 1] = manifest end
  end
end
return retired
