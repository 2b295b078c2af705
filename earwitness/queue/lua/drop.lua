-- KEYS: run, ledger, counts, from   ARGV: run id, ordinal, group, message id, reason, state of from
local state = redis.call('HGET', KEYS[2], ARGV[2])
local outcome
if redis.call('GET', KEYS[1]) ~= ARGV[1] or not state then
  outcome = 'stale'
elseif rank(state) > rank(ARGV[6]) then
  outcome = 'duplicate' -- another's result has already gone on
else
  move(KEYS[2], KEYS[3], ARGV[2], state, 'dropped:' .. ARGV[5])
  outcome = 'ok'
end
settle(KEYS[4], ARGV[3], ARGV[4])
return outcome
