-- KEYS: queue, job, events   ARGV: job id, record, event
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
local sequence = redis.call('HINCRBY', KEYS[2], 'sequence', 1)
redis.call('HSET', KEYS[2], 'record', ARGV[2], 'wish', 'cancel')
redis.call('XADD', KEYS[3], sequence .. '-0', 'event', ARGV[3])
return 1
