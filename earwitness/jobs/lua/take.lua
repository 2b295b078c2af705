-- KEYS: leader, queue, running   ARGV: holder
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local running = redis.call('GET', KEYS[3])
if running then return running end
local job = redis.call('LPOP', KEYS[2])
if job then redis.call('SET', KEYS[3], job) end
return job
