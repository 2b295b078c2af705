-- KEYS: run, ledger, counts, streams...   ARGV: run id
-- Forgets what the ledger has in flight and no stream holds, so that it is issued again; returns how many those were.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local there, lost = {}, 0
for i = 4, #KEYS do
  local from = '-'
  repeat -- one by one: payloads may be megabytes
    local entry = redis.call('XRANGE', KEYS[i], from, '+', 'COUNT', 1)[1]
    if entry then
      local named = fields(entry)
      if named.run == ARGV[1] and named.ordinal then there[named.ordinal] = true end
      from = '(' .. entry[1]
    end
  until not entry
end
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if rank(all[i + 1]) < END and not there[all[i]] then
    redis.call('HDEL', KEYS[2], all[i])
    redis.call('HDEL', begun_of(KEYS[2]), all[i])
    redis.call('HINCRBY', KEYS[3], kind(all[i + 1]), -1)
    lost = lost + 1
  end
end
return lost
