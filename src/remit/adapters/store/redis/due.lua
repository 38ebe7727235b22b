-- Runs to advance now: each tenant's oldest first, tenants in turns. `MOST`: runs whose time came that one call takes
-- over; the next call takes the rest.
local MOST = 5000
local now = now_ms()

-- By bytes: `<` goes by the server's locale.
local function precedes(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = string.byte(one, i), string.byte(other, i)
    if a ~= b then
      return a < b
    end
  end
  return #one < #other
end

local function by_age(one, other)
  if one.turn ~= other.turn then
    return one.turn < other.turn
  elseif one.created ~= other.created then
    return one.created < other.created
  end
  return precedes(one.id, other.id)
end

local found, ids = {}, {}
if ask.root then
  -- a run's family is small, so it is looked through
  for _, id in ipairs(redis.call("SMEMBERS", P .. ":root:" .. ask.root)) do
    local run = head(id)
    local at = due_at(run)
    if at and at <= now and (not ask.tenant or run.tenant == ask.tenant) then
      found[#found + 1] = { id = id, tenant = run.tenant, created = tonumber(run.created), turn = 0 }
    end
  end
  table.sort(found, by_age)
  local turns = {}
  for _, each in ipairs(found) do
    turns[each.tenant] = (turns[each.tenant] or 0) + 1
    each.turn = turns[each.tenant]
  end
  table.sort(found, by_age)
else
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", P .. ":later", "-inf", text(now), "LIMIT", 0, MOST)) do
    place(id, head(id), now)
  end
  local tenants = ask.tenant and { ask.tenant } or redis.call("SMEMBERS", P .. ":tenants")
  local turn = 0
  while #tenants > 0 and #found < ask.limit do
    local left, round = {}, {}
    for _, tenant in ipairs(tenants) do
      local first = redis.call("ZRANGE", P .. ":ready:" .. tenant, turn, turn, "WITHSCORES")
      if #first > 0 then
        left[#left + 1] = tenant
        round[#round + 1] = { id = first[1], created = tonumber(first[2]), turn = turn }
      end
    end
    table.sort(round, by_age)
    for _, each in ipairs(round) do
      found[#found + 1] = each
    end
    tenants, turn = left, turn + 1
  end
end
for place_of = 1, math.min(#found, ask.limit) do
  ids[place_of] = found[place_of].id
end
return ids
