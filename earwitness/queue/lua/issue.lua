-- KEYS: run, ledger, counts, tasks   ARGV: run id, ordinal, data
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return 0 end
move(KEYS[2], KEYS[3], ARGV[2], false, 'issued')
redis.call('XADD', KEYS[4], '*', 'run', ARGV[1], 'ordinal', ARGV[2], 'data', ARGV[3])
return 1
