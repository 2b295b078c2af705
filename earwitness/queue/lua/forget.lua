-- KEYS: stream   ARGV: group, consumer, parking consumer, idle ms
-- What the consumer held is parked as long idle, hence claimable at once; deleting the consumer alone would lose it.
-- A clean leave is not a failed delivery, so it is not counted as one.
local moved = 0
repeat
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 100, ARGV[2])
  for _, entry in ipairs(pending) do
    park(KEYS[1], ARGV[1], ARGV[3], entry, ARGV[4])
    moved = moved + 1
  end
until #pending == 0
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return moved
