-- KEYS: stream, run, dead   ARGV: group, consumer, count, idle ms, deliveries, ledger prefix, counts prefix, dead kept, tasks
local stream, group, consumer, count = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local found = {}

local function fields(entry)
  local named = {}
  for i = 1, #entry[2], 2 do named[entry[2][i]] = entry[2][i + 1] end
  return named
end

-- Work that was delivered too often leaves the stream with its reason.
local function bury(id, entry)
  local reason = 'dead letter: ' .. ARGV[5] .. ' deliveries from ' .. stream .. ' without a result'
  if redis.call('GET', KEYS[2]) == entry.run then
    local ledger, counts = ARGV[6] .. entry.run, ARGV[7] .. entry.run
    local state = redis.call('HGET', ledger, entry.ordinal)
    if state and rank(state) < END then
      move(ledger, counts, entry.ordinal, state, 'dropped:' .. reason)
      redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[8], '*', 'stream', stream, 'run', entry.run,
                 'ordinal', entry.ordinal, 'reason', reason, 'data', entry.data)
    end
  end
  settle(stream, group, id)
end

-- An entry's payload. What a worker that left had generated is put behind it: protobuf merges messages that follow
-- one another, so together they are one task.
local function payload(entry)
  local begun = redis.call('HGET', begun_of(ARGV[6] .. entry.run), entry.ordinal)
  return entry.data .. (stream == ARGV[9] and begun or '')
end

-- First what another left behind: it is the oldest work.
local cursor = '0-0'
repeat
  local reply = redis.call('XAUTOCLAIM', stream, group, consumer, ARGV[4], cursor, 'COUNT', count - #found)
  cursor = reply[1]
  for _, claimed in ipairs(reply[2]) do
    local id, entry = claimed[1], fields(claimed)
    local deliveries = redis.call('XPENDING', stream, group, id, id, 1)[1][4]
    if deliveries > tonumber(ARGV[5]) then bury(id, entry) else found[#found + 1] = {id, payload(entry)} end
  end
until cursor == '0-0' or #found >= count

if #found < count then
  local reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count - #found, 'STREAMS', stream, '>')
  if reply then
    for _, new in ipairs(reply[1][2]) do found[#found + 1] = {new[1], fields(new).data} end
  end
end
return found
