-- KEYS: run, ledger, counts, ready   ARGV: run id, group, step, then message id and ordinal of each group
-- An ordinal need not be ready: who calls holds its group, so if the ledger says less, the server lost its last second.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then return {'stale', current or ''} end
local used, seen = 'used:' .. ARGV[3], {}
for i = 4, #ARGV, 2 do
  local ordinal = ARGV[i + 1]
  local state = redis.call('HGET', KEYS[2], ordinal)
  if seen[ordinal] then return {'conflict', ordinal, 'twice in one step'} end
  seen[ordinal] = true
  if state and rank(state) == END and state ~= used then return {'conflict', ordinal, state} end
end
for i = 4, #ARGV, 2 do
  local ordinal = ARGV[i + 1]
  local state = redis.call('HGET', KEYS[2], ordinal)
  if state ~= used then move(KEYS[2], KEYS[3], ordinal, state, used) end
  settle(KEYS[4], ARGV[2], ARGV[i])
end
return {'ok'}
