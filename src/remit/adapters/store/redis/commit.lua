-- One `create`, `append` or `transact`, decided on documents of known revisions: done, or not at all.
-- Without `commit` it only says whether the decision, a refusal, was made on what is there.
local CHUNK = 1000
local run_id, run = ask.run, nil
if run_id then
  run = head(run_id)
  if ask.new then
    if run then
      return { "exists" }
    end
  elseif not run or run.seq ~= ask.seq or run.epoch ~= ask.epoch or run.status == "ended" then
    return { "fenced" }
  elseif redis.call("LLEN", P .. ":log:" .. run_id) ~= tonumber(run.seq) + 1 then
    return { "damaged" }
  end
end
if declared() ~= ask.version then
  return { "redeclared" }
end

local sizes, stale = {}, { "stale" }
for place_of, slot in ipairs(ask.slots) do
  local value = redis.call("HGET", P .. ":doc:" .. slot[1], slot[2]) or ""
  sizes[place_of] = math.max(#value - REVISION, 0)
  if string.sub(value, 1, REVISION) ~= slot[3] then
    stale[#stale + 1] = place_of
    stale[#stale + 1] = value
  end
end
if #stale > 1 then
  return stale
end
if not ask.commit then
  return { "same" }
end

local now = now_ms()
local grown = { events = 0, contents = 0, records = 0 }
for _, content in ipairs(ask.contents) do
  if redis.call("SET", P .. ":content:" .. content[1], content[2], "NX") then
    grown.contents = grown.contents + #content[1] + #content[2]
  end
end
for place_of, slot in ipairs(ask.slots) do
  local documents, value = P .. ":doc:" .. slot[1], slot[4]
  if value == "" then
    redis.call("HDEL", documents, slot[2])
  else
    redis.call("HSET", documents, slot[2], value)
  end
  grown.records = grown.records + math.max(#value - REVISION, 0) - sizes[place_of]
end
for _, old in ipairs(ask.out) do
  redis.call("ZREM", P .. ":index:" .. old[1], old[2])
end
for _, new in ipairs(ask.into) do
  redis.call("ZADD", P .. ":index:" .. new[1], 0, new[2])
end

local changed = {}
local function signals_of(id)
  return P .. ":signals:" .. id, P .. ":inbox:" .. id
end

if run_id then
  if ask.new then
    run = ask.new
    run.status, run.seq, run.hash, run.epoch = "ready", "-1", "", "0"
    run.owner, run.lease, run.wake, run.inbox, run.signals = "", "0", "", "0", "0"
    redis.call("HSET", P .. ":run:" .. run_id, "tenant", run.tenant, "root", run.root, "agent", run.agent,
      "created", run.created, "epoch", "0")
    redis.call("SADD", P .. ":root:" .. run.root, run_id)
  end
  changed[run_id] = run
  for first = 1, #ask.entries, CHUNK do
    local last = math.min(first + CHUNK - 1, #ask.entries)
    redis.call("RPUSH", P .. ":log:" .. run_id, unpack(ask.entries, first, last))
  end
  for _, entry in ipairs(ask.entries) do
    grown.events = grown.events + #entry
  end
  if #ask.entries > 0 then
    run.seq, run.hash = ask.last, ask.hash
  end
  local known, inbox = signals_of(run_id)
  for _, id in ipairs(ask.consumed) do
    if redis.call("ZREM", inbox, id) == 1 then
      -- the id stays, so that the signal counts once for ever
      redis.call("HSET", known, id, "")
      run.inbox = text(run.inbox - 1)
    end
  end
  if ask.status then
    run.wake = ask.wake
    run.status = (run.inbox ~= "0" and ask.status ~= "ended") and "ready" or ask.status
    if run.status == "ended" then
      run.owner, run.lease = "", "0"
      redis.call("SREM", P .. ":root:" .. run.root, run_id)
    end
  end
end
for _, signal in ipairs(ask.signals) do
  local id = signal[1]
  local target = changed[id] or head(id)
  local known, inbox = signals_of(id)
  if target and target.status ~= "ended" and redis.call("HSETNX", known, signal[2], signal[3]) == 1 then
    changed[id] = target
    target.signals = text(target.signals + 1)
    redis.call("ZADD", inbox, target.signals, signal[2])
    target.inbox, target.status = text(target.inbox + 1), "ready"
  end
end
for id, each in pairs(changed) do
  redis.call("HSET", P .. ":run:" .. id, "status", each.status, "seq", each.seq, "hash", each.hash, "owner",
    each.owner, "lease", each.lease, "wake", each.wake, "inbox", each.inbox, "signals", each.signals)
  place(id, each, now)
end
for what, bytes in pairs(grown) do
  if bytes ~= 0 then
    redis.call("HINCRBY", P .. ":sizes", what, text(bytes))
  end
end
if run_id and #ask.entries > 0 then
  redis.call("PUBLISH", P .. ":news", run_id)
end
return { "done", run and tonumber(run.inbox) or 0 }
