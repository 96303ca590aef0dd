"""What Redis does by itself, in one go each: lanes are leased and trimmed there, by its own clock."""

BEAT = """
-- KEYS members, owners; ARGV me, lease in ms, lanes, lanes that I give up...
-- Returns the lanes that are mine now, and how many I should have.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
local fair = math.ceil(ARGV[3] / redis.call('ZCARD', KEYS[1]))
for i = 4, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[i]) end
end
local mine, free = {}, {}
for lane = 0, ARGV[3] - 1 do
  local owner = redis.call('HGET', KEYS[2], lane)
  if owner == ARGV[1] then mine[#mine + 1] = lane
  elseif not owner or not redis.call('ZSCORE', KEYS[1], owner) then free[#free + 1] = lane end
end
for _, lane in ipairs(free) do
  if #mine < fair then
    redis.call('HSET', KEYS[2], lane, ARGV[1])
    mine[#mine + 1] = lane
  end
end
return {fair, mine}
"""
LEAVE = """
-- KEYS members, owners; ARGV me. Its lanes are free at once.
redis.call('ZREM', KEYS[1], ARGV[1])
local owners = redis.call('HGETALL', KEYS[2])
for i = 1, #owners, 2 do
  if owners[i + 1] == ARGV[1] then redis.call('HDEL', KEYS[2], owners[i]) end
end
"""
TRIM = """
-- KEYS a lane. Deletes what all its groups have settled; returns how much that was.
local function before(a, b)
  local am, as = a:match('(%d+)-(%d+)')
  local bm, bs = b:match('(%d+)-(%d+)')
  if tonumber(am) ~= tonumber(bm) then return tonumber(am) < tonumber(bm) end
  return tonumber(as) < tonumber(bs)
end
local lowest
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name, read
  for i = 1, #group, 2 do
    if group[i] == 'name' then name = group[i + 1] end
    if group[i] == 'last-delivered-id' then read = group[i + 1] end
  end
  local pending = redis.call('XPENDING', KEYS[1], name)
  local settled = pending[2] or read
  if not lowest or before(settled, lowest) then lowest = settled end
end
if not lowest then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', lowest)
"""
