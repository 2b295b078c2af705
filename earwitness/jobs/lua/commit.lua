-- KEYS: leader, job, events, running   ARGV: holder, sequence before, record, job id if it has ended, events...
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local before = tonumber(ARGV[2])
if tonumber(redis.call('HGET', KEYS[2], 'sequence')) == before then
  for i = 5, #ARGV do redis.call('XADD', KEYS[3], (before + i - 4) .. '-0', 'event', ARGV[i]) end
  redis.call('HSET', KEYS[2], 'record', ARGV[3], 'sequence', before + #ARGV - 4)
end
if ARGV[4] ~= '' and redis.call('GET', KEYS[4]) == ARGV[4] then redis.call('DEL', KEYS[4]) end
return tonumber(redis.call('HGET', KEYS[2], 'sequence'))
