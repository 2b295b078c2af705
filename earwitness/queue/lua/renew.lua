-- KEYS: stream   ARGV: group, consumer, message ids...
-- Only what this consumer still holds: renewing must not take back what another has claimed meanwhile.
local held = {}
for i = 3, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if pending[1] and pending[1][2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID') -- JUSTID leaves the delivery count alone
    held[#held + 1] = ARGV[i]
  end
end
return held
