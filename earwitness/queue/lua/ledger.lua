-- Put in front of every script. Replicate effects, so that the append-only file holds what was done and not the script.
redis.replicate_commands()

-- An ordinal only moves forward. Both ends have the same rank: nothing leaves them.
local RANK = {issued = 1, rolled = 2, scored = 3, ready = 4, used = 5, dropped = 5}
local END = 5

local function kind(state) return string.match(state, '^%a+') end
local function rank(state) return RANK[kind(state)] end

-- What workers that left had generated for ordinals that are issued still: beside the ledger of the same run.
local function begun_of(ledger) return (string.gsub(ledger, '^ew:ledger:', 'ew:begun:')) end

-- Puts an ordinal in a state; the only place that writes a ledger or its counts.
local function move(ledger, counts, ordinal, from, to)
  redis.call('HSET', ledger, ordinal, to)
  if from == 'issued' then redis.call('HDEL', begun_of(ledger), ordinal) end
  if from then redis.call('HINCRBY', counts, kind(from), -1) end
  redis.call('HINCRBY', counts, kind(to), 1)
end

-- Ends everything of a run that is in flight, with a reason.
local function retire(ledger, counts, reason)
  local all = redis.call('HGETALL', ledger)
  for i = 1, #all, 2 do
    if rank(all[i + 1]) < END then move(ledger, counts, all[i], all[i + 1], 'dropped:' .. reason) end
  end
end

-- Empties a stream and forgets its deliveries. Its ids go on rising, so a late message id never names a new entry.
local function wipe(stream, group)
  redis.pcall('XGROUP', 'DESTROY', stream, group)
  redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
  redis.call('XTRIM', stream, 'MAXLEN', '0')
end

local function settle(stream, group, id)
  redis.call('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
end

-- Makes a pending entry claimable at once and takes its delivery back: it was no failure.
local function park(stream, group, parking, pending, idle_ms)
  redis.call('XCLAIM', stream, group, parking, 0, pending[1], 'IDLE', idle_ms,
             'RETRYCOUNT', math.max(pending[4] - 1, 0), 'JUSTID')
end

local function fields(entry)
  local named = {}
  for i = 1, #entry[2], 2 do named[entry[2][i]] = entry[2][i + 1] end
  return named
end

-- Work that was delivered too often, or that nobody could read, leaves its stream with the reason.
-- KEYS: run, dead   prefixes: of ledgers, of counts
local function bury(stream, group, id, entry, run, dead, prefixes, kept, reason)
  local ordinal = tonumber(entry.ordinal) and entry.ordinal
  local letter = not (entry.run and entry.data and ordinal)
  if entry.run and ordinal and redis.call('GET', run) == entry.run then
    local ledger, counts = prefixes[1] .. entry.run, prefixes[2] .. entry.run
    local state = redis.call('HGET', ledger, ordinal)
    if state and rank(state) < END then
      move(ledger, counts, ordinal, state, 'dropped:' .. reason)
      letter = true
    end
  end
  if letter then
    redis.call('XADD', dead, 'MAXLEN', kept, '*', 'stream', stream, 'run', entry.run or '', 'ordinal', ordinal or '-1',
               'reason', reason, 'data', entry.data or '')
  end
  settle(stream, group, id)
end
