-- The documents of an index between two places. `key`: where in a place the fields of the key stand.
local CHUNK = 1000
if declared() ~= ask.version then
  return { "redeclared" }
end
local index, answer = P .. ":index:" .. ask.index, { "found" }
local places
if ask.descending then
  places = redis.call("ZREVRANGEBYLEX", index, ask.last, ask.first, "LIMIT", 0, ask.limit)
else
  places = redis.call("ZRANGEBYLEX", index, ask.first, ask.last, "LIMIT", 0, ask.limit)
end
local keys = {}
for _, place_of in ipairs(places) do
  local parts, key = {}, {}
  for part in string.gmatch(place_of, "(%Z*)%z") do
    parts[#parts + 1] = part
  end
  for i, position in ipairs(ask.key) do
    key[i] = parts[position] .. "\0"
  end
  keys[#keys + 1] = table.concat(key)
end
for first = 1, #keys, CHUNK do
  local last = math.min(first + CHUNK - 1, #keys)
  for _, value in ipairs(redis.call("HMGET", P .. ":doc:" .. ask.collection, unpack(keys, first, last))) do
    if not value then
      return { "damaged" }
    end
    answer[#answer + 1] = string.sub(value, REVISION + 1)
  end
end
return answer
