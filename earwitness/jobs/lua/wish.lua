-- KEYS: job   ARGV: wish. A wish to cancel is final.
if redis.call('HGET', KEYS[1], 'wish') ~= 'cancel' then redis.call('HSET', KEYS[1], 'wish', ARGV[1]) end
return 1
