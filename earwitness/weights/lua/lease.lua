-- Only a version that is there can be leased; from then on `retire` sees the lease.
-- KEYS: manifest, leases   ARGV: worker, name, seconds
redis.replicate_commands()
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], redis.call('TIME')[1] + ARGV[3] .. ' ' .. ARGV[2])
return 1
