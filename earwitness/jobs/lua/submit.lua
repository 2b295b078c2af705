-- KEYS: requests, job, queue, index, events   ARGV: request id, job id, record, recipe, event, time
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return known end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], 'record', ARGV[3], 'recipe', ARGV[4], 'wish', '', 'sequence', 1)
redis.call('XADD', KEYS[5], '1-0', 'event', ARGV[5])
redis.call('ZADD', KEYS[4], ARGV[6], ARGV[2])
redis.call('RPUSH', KEYS[3], ARGV[2])
return ARGV[2]
