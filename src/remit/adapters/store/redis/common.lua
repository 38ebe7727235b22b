-- What the scripts share. ARGV[1] is the prefix of every key, ARGV[2] what is asked, as MessagePack. Numbers that are
-- compared or kept are text: Lua has only doubles. A script checks everything before it writes anything, since Redis
-- undoes nothing.
local P = ARGV[1]
local ask = cmsgpack.unpack(ARGV[2])
local REVISION = 16

local function text(number)
  return string.format("%.0f", number)
end

local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function declared()
  return redis.call("GET", P .. ":declared") or "0"
end

local function head(run)
  local flat = redis.call("HGETALL", P .. ":run:" .. run)
  if #flat == 0 then
    return nil
  end
  local found = {}
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
  end
  return found
end

-- When a run is to be advanced, or nil: once its lease is over, and if it waits, once its time has come.
local function due_at(run)
  local at
  if run.status == "ready" then
    at = 0
  elseif run.status == "waiting" and run.wake ~= "" then
    at = tonumber(run.wake)
  end
  return at and math.max(at, tonumber(run.lease))
end

-- Put a run where `due` finds it: among its tenant's that are due, oldest first, or among those that will be.
local function place(run_id, run, now)
  local at, later, ready = due_at(run), P .. ":later", P .. ":ready:" .. run.tenant
  if at and at <= now then
    redis.call("ZREM", later, run_id)
    redis.call("ZADD", ready, run.created, run_id)
    redis.call("SADD", P .. ":tenants", run.tenant)
    return
  end
  if redis.call("ZREM", ready, run_id) == 1 and redis.call("EXISTS", ready) == 0 then
    redis.call("SREM", P .. ":tenants", run.tenant)
  end
  if at then
    redis.call("ZADD", later, text(at), run_id)
  else
    redis.call("ZREM", later, run_id)
  end
end
