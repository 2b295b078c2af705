-- KEYS: stream, run, dead   ARGV: group, consumer, count, idle ms, deliveries, ledger prefix, counts prefix, dead kept, tasks
local stream, group, consumer, count = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local found = {}

-- Gives it out, unless it was delivered too often or is no entry of ours.
local function give(id, entry, deliveries)
  local reason
  if not (entry.run and entry.data and tonumber(entry.ordinal)) then
    reason = 'dead letter: an entry of ' .. stream .. ' without run, ordinal or data'
  elseif deliveries > tonumber(ARGV[5]) then
    reason = 'dead letter: ' .. ARGV[5] .. ' deliveries from ' .. stream .. ' without a result'
  end
  if reason then
    bury(stream, group, id, entry, KEYS[2], KEYS[3], {ARGV[6], ARGV[7]}, ARGV[8], reason)
  else
    -- What a worker that left had generated is put behind the payload: protobuf merges messages that follow one
    -- another, so together they are one task.
    local begun = stream == ARGV[9] and redis.call('HGET', begun_of(ARGV[6] .. entry.run), entry.ordinal)
    found[#found + 1] = {id, entry.data .. (begun or '')}
  end
end

-- First what another left behind: it is the oldest work.
local cursor = '0-0'
repeat
  local reply = redis.call('XAUTOCLAIM', stream, group, consumer, ARGV[4], cursor, 'COUNT', count - #found)
  cursor = reply[1]
  for _, claimed in ipairs(reply[2]) do
    local id, entry = claimed[1], fields(claimed)
    local deliveries = redis.call('XPENDING', stream, group, id, id, 1)[1][4]
    give(id, entry, deliveries)
  end
until cursor == '0-0' or #found >= count

if #found < count then
  local reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count - #found, 'STREAMS', stream, '>')
  if reply then
    for _, new in ipairs(reply[1][2]) do give(new[1], fields(new), 1) end
  end
end
return found
