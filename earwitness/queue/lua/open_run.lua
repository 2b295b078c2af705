-- KEYS: run, ledger, counts, newest, streams...
-- ARGV: run id, group, pre-filled states as JSON, ledger prefix, counts prefix, kept s, rank among the runs of its job
local current = redis.call('GET', KEYS[1])
local newest = redis.call('GET', KEYS[4]) or ''
if ARGV[7] < newest then return {'stale', current or newest} end
redis.call('SET', KEYS[4], ARGV[7], 'EX', ARGV[6])
if current ~= ARGV[1] then
  if current then
    local ledger, counts = ARGV[4] .. current, ARGV[5] .. current
    retire(ledger, counts, 'superseded by ' .. ARGV[1])
    redis.call('EXPIRE', ledger, ARGV[6])
    redis.call('EXPIRE', counts, ARGV[6])
  end
  redis.call('DEL', KEYS[2], KEYS[3], begun_of(KEYS[2]))
  for i = 5, #KEYS do wipe(KEYS[i], ARGV[2]) end
  redis.call('SET', KEYS[1], ARGV[1])
end
for ordinal, state in pairs(cjson.decode(ARGV[3])) do
  local before = redis.call('HGET', KEYS[2], ordinal)
  if not before or rank(before) < END then move(KEYS[2], KEYS[3], ordinal, before, state) end
end
return {'ok'}
