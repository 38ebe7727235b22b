-- Enter items into an index; one that was written since it was read has been entered by its writer. 0 when it is full,
-- or was dropped, or is another one by now.
local documents, index, filling = P .. ":doc:" .. ask.collection, P .. ":index:" .. ask.index, P .. ":filling"
if redis.call("HGET", filling, ask.index) ~= ask.since then
  return 0
end
for _, row in ipairs(ask.rows) do
  local value = redis.call("HGET", documents, row[1])
  if value and string.sub(value, 1, REVISION) == row[2] then
    redis.call("ZADD", index, 0, row[3])
  end
end
if ask.last then
  redis.call("HDEL", filling, ask.index)
  return 0
end
return 1
