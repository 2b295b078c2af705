-- The commit point; nothing, if a later lineage of the same job is served. Publishing a version again changes nothing but the pointer, and that never goes back in a lineage.
-- KEYS: manifest, versions, commits, latest, bases
-- ARGV: manifest, name, lineage, version, channel, name of the base (empty for an anchor)
local lineage, version = string.match(redis.call('GET', KEYS[4]) or '', '^(.*) (%d+)$')
local job, start = string.match(lineage or '', '^(.*)/(%d+)$')
local own_job, own_start = string.match(ARGV[3], '^(.*)/(%d+)$')
if job and job == own_job and tonumber(own_start) < tonumber(start) then return false end
if redis.call('SET', KEYS[1], ARGV[1], 'NX') then
  redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[3]), ARGV[2])
  if ARGV[6] == '' then redis.call('HDEL', KEYS[5], ARGV[2]) else redis.call('HSET', KEYS[5], ARGV[2], ARGV[6]) end
end
if lineage ~= ARGV[3] or tonumber(version) < tonumber(ARGV[4]) then
  redis.call('SET', KEYS[4], ARGV[2])
  redis.call('PUBLISH', ARGV[5], ARGV[2])
end
return redis.call('GET', KEYS[1])
