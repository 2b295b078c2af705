-- KEYS: run, ledger, counts, streams...   ARGV: run id, group, kept s
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'stale' end
retire(KEYS[2], KEYS[3], 'closed')
-- What is not there below the highest went with the server's last second, and nothing of it was needed any more.
local highest = -1
for _, ordinal in ipairs(redis.call('HKEYS', KEYS[2])) do highest = math.max(highest, tonumber(ordinal)) end
for ordinal = 0, highest - 1 do
  if redis.call('HEXISTS', KEYS[2], ordinal) == 0 then move(KEYS[2], KEYS[3], ordinal, false, 'dropped:forgotten') end
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
for i = 4, #KEYS do wipe(KEYS[i], ARGV[2]) end
redis.call('DEL', KEYS[1])
return 'ok'
