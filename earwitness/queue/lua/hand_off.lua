-- KEYS: run, ledger, counts, from, to   ARGV: run id, ordinal, group, message id, new state, data
local state = redis.call('HGET', KEYS[2], ARGV[2])
local outcome
if redis.call('GET', KEYS[1]) ~= ARGV[1] or not state then
  outcome = 'stale'
elseif rank(state) >= rank(ARGV[5]) then
  outcome = 'duplicate'
else
  redis.call('XADD', KEYS[5], '*', 'run', ARGV[1], 'ordinal', ARGV[2], 'data', ARGV[6])
  move(KEYS[2], KEYS[3], ARGV[2], state, ARGV[5])
  outcome = 'ok'
end
settle(KEYS[4], ARGV[3], ARGV[4])
return outcome
