-- KEYS: run, ledger, tasks   ARGV: run id, ordinal, group, consumer, message id, parking consumer, idle ms, begun
-- The task becomes claimable at once, before new ones, and what was generated for it waits beside it. The ledger says
-- issued still, and a clean leave is not counted as a failed delivery.
local held = redis.call('XPENDING', KEYS[3], ARGV[3], ARGV[5], ARGV[5], 1, ARGV[4])
if not held[1] then return 'stale' end -- another has claimed it, or its run is over
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[2], ARGV[2]) ~= 'issued' then
  settle(KEYS[3], ARGV[3], ARGV[5])
  return 'stale'
end
redis.call('HSET', begun_of(KEYS[2]), ARGV[2], ARGV[8])
park(KEYS[3], ARGV[3], ARGV[6], held[1], ARGV[7])
return 'ok'
