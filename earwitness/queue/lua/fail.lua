-- KEYS: stream, run, dead   ARGV: group, consumer, message id, reason, parking consumer, idle ms, deliveries, ledger prefix, counts prefix, dead kept
-- The delivery counts: the work can be claimed at once, and after the last delivery it is a dead letter.
local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])[1]
if not held then return 'stale' end -- another has claimed it, or its run is over
if held[4] < tonumber(ARGV[7]) then
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[5], 0, ARGV[3], 'IDLE', ARGV[6], 'JUSTID')
  return 'ok'
end
local reason = 'dead letter: ' .. ARGV[7] .. ' deliveries from ' .. KEYS[1] .. ' without a result: ' .. ARGV[4]
local entry = redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])[1]
bury(KEYS[1], ARGV[1], ARGV[3], fields(entry), KEYS[2], KEYS[3], {ARGV[8], ARGV[9]}, ARGV[10], reason)
return 'ok'
