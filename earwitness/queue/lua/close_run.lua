-- KEYS: run, ledger, counts, streams...   ARGV: run id, group, kept s
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'stale' end
retire(KEYS[2], KEYS[3], 'closed')
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
for i = 4, #KEYS do wipe(KEYS[i], ARGV[2]) end
redis.call('DEL', KEYS[1])
return 'ok'
