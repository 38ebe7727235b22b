-- Change declarations, if they are still those of `version`. From here on every writer keeps the new indexes; `fill`
-- are those that lack the items of before, and are noted with the version that asked for it.
if declared() ~= ask.version then
  return false
end
local version = redis.call("INCR", P .. ":declared")
for _, each in ipairs(ask.collections) do
  redis.call("HSET", P .. ":collections", each[1], each[2])
end
for _, index in ipairs(ask.drop) do
  redis.call("UNLINK", P .. ":index:" .. index)
  redis.call("HDEL", P .. ":filling", index)
end
for _, index in ipairs(ask.fill) do
  redis.call("HSET", P .. ":filling", index, version)
end
return version
